-- The words of a text in small letters: runs of letters, marks and digits of any script.
create or replace macro words_of(written) as
    string_split(trim(regexp_replace(lower(nfc_normalize(written)), '[^\p{L}\p{N}\p{M}]+', ' ', 'g')), ' ');
