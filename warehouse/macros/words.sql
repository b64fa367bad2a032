-- The words of a text in small letters: runs of letters, marks and digits of any script.
create or replace macro words_of(written) as
    string_split(trim(regexp_replace(lower(nfc_normalize(written)), '[^\p{L}\p{N}\p{M}]+', ' ', 'g')), ' ');

-- The parts of a text between blanks, in small letters; quicker, and for comparing texts with copies of them.
create or replace macro blank_words(written) as
    string_split(lower(replace(replace(replace(written, chr(10), ' '), chr(9), ' '), '  ', ' ')), ' ');
