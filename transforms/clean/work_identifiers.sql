/*
row = "An identifier of a work: the canonical key of an address or of an identifier in a register."
key = ["work_id", "identifier"]

[columns]
work_id = {}
identifier = {}
identifier_kind = {}
records = { type = "integer", unit = "records", meaning = "Records of the work that have it.", required = true, minimum = 1 }
*/
select
    members.work_id,
    identifiers.identifier,
    min(identifiers.identifier_kind) as identifier_kind,
    cast(count(*) as bigint) as records
from clean.record_identifiers as identifiers
inner join clean.work_members as members on identifiers.record_id = members.record_id
where not identifiers.is_collective
group by
    members.work_id,
    identifiers.identifier
