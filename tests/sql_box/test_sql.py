"""The SQL sandbox against hostile queries: ordinary queries work, and any access beyond the tables fails without a trace."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests.support.trials import pick_trials
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release
from warehouse.sql_box import client
from warehouse.sql_box.answer import read_table
from warehouse.sql_box.client import FailureReason, QueryFailed

A_PYTHON_OBJECT = duckdb.connect().sql("select 'a secret of the parent' as note").to_arrow_table()

ORDINARY_QUERIES = r"""
select 1 as a
from mart.publications_by_lab_year order by all
show all tables
show mart.publications_by_lab_year
describe mart.publications_by_lab_year
describe select 1 as a, 'x' as b
summarize mart.publications_by_lab_year
table clean.coverage
values (1, 'a'), (2, 'b')
select lab, wilson_low(works, 78) as low, wilson_high(works, 78) as high, share_of(works, 78) as s from mart.publications_by_lab_year order by all
with a as (select 1 as x), b as (select x + 1 as y from a) select * from a, b
with recursive r(n) as (select 1 union all select n + 1 from r where n < 10) select sum(n) as s from r
with "a b" as materialized (select 1 as x) from "a b"
with publications as (select 3 as x) select x from publications
select lab, rank() over (partition by published_year order by works desc) as r, lag(works) over w as b from mart.publications_by_lab_year window w as (partition by lab order by published_year) order by all
from clean.publications select lab, title qualify row_number() over (partition by lab order by title) = 1 order by all
pivot mart.publications_by_lab_year on lab in ('OpenAI', 'Anthropic') using sum(works) group by published_year order by all
pivot mart.publications_by_lab_year on lab using sum(works) group by published_year order by all
with t as (/* ä ☃ */ pivot mart.publications_by_lab_year on lab using sum(works) as w group by published_year) select * from t join (select date '2023-01-01' as published_year) using (published_year)
unpivot (select 1 as a, 2 as b) on a, b into name n value v
select unnest([1, 2, 3]) as x
from range(3) t(i), unnest([i, i + 1]) u(x)
from generate_series(date '2024-01-01', date '2024-03-01', interval 1 month) t(m)
select list_transform([1, 2], lambda x: x + 1) as l, [y * 2 for y in [1, 2] if y > 1] as m, [1, 2, 3][1:2] as s
select {'a': 1, 'b': [1, 2]} as s, map {'k': 1} as m, struct_pack(a := 1).a as p
select * exclude (works) replace (lab || '!' as lab) from mart.publications_by_lab_year order by all
select max(columns('^l.*')) from mart.publications_by_lab_year
select date '2024-01-31' + interval 1 month as d, date_trunc('month', timestamp '2024-05-06 01:02:03') as m, strftime(date '2024-01-02', '%d/%m') as f
select extract('year' from date '2020-01-01') as y, timestamp '2020-01-01' at time zone 'UTC' as z, timestamptz '2024-01-01 00:00:00+00' as t
select try_cast('x' as int) as b, 1::hugeint as h, 1.5::decimal(10, 2) as d, 'a'::blob as l, null as n, time '01:02:03' as t, interval 3 days as i, uuid() is not null as u
select regexp_extract(title, '(\w+)', 1) as w, count(*) as n from clean.publications group by all order by n desc, w limit 5
select lab, count(*) filter (where is_duplicate) as d, string_agg(category, ', ' order by category) as c from clean.publications group by lab having count(*) > 3 order by lab
select lab, category, grouping(lab) as g, count(*) as n from clean.publications group by rollup (lab, category) order by all
select distinct on (lab) lab, title from clean.publications order by lab, title
select * from clean.publications using sample reservoir(3 rows) repeatable (7)
select * from (select 1 as a) x join (select 1 as a, 2 as b) y using (a) left join (select 3 as c) z on true
select a.x, b.y from (select 1 as x) a positional join (select 2 as y) b
select 1 as a union all by name select 2 as b order by all
select title from clean.publications p where exists (from clean.publications q where q.lab = p.lab and q.title < p.title) order by all
select lab from mart.publications_by_lab_year where works = (select max(works) from mart.publications_by_lab_year) or lab in (select lab from clean.publications) order by all
select column_name, comment from duckdb_columns() where schema_name = 'mart' order by all limit 5
select table_schema, table_name from information_schema.tables order by all
from reference.dictionary where table_name = 'mart.publications_by_lab_year' order by column_ordinal
select json_extract_string('{"a": [1, 2]}', '$.a[0]') as j, to_json([1]) as k, '{"a":1}'::json -> 'a' as l
select case when works > 3 then 'many' else 'few' end as c, coalesce(null, works) as w, works between 1 and 3 as y from mart.publications_by_lab_year order by all
select quantile_cont(works, 0.5) as q, stddev(works) as s, arg_max(lab, works) as a, histogram(works) as h from mart.publications_by_lab_year
select 'it''s; not two' as a, $$select 2; drop table x$$ as b -- and a comment; really
select 10 % 3 as a, 2 ** 3 as b, 7 // 2 as c, 5 & 3 as d, 'a' ilike 'A' as e, 'a' ~ 'b' as f, 1 is distinct from null as g, 'a' collate nocase = 'A' as h
select lab.upper().lower() as l, getenv from (select 'x' as lab, 1 as getenv)
select 'ä' || '☃' as s, upper('straße') as t, unicode('ä') as u
select * from clean.publications where 1 = 0
(select 1 as a) intersect (select 1)
""".strip().splitlines()

# SECRET is a file outside the release, TABLE the same as CSV, OUT a missing file, FOLDER their folder, RELEASE the release
ATTEMPTS = {
    "read a file": """
select * from read_csv('TABLE')
select * from read_csv_auto('TABLE')
from sniff_csv('TABLE')
from read_text('SECRET')
from read_blob('SECRET')
from read_blob('RELEASE')
from read_text('/proc/self/environ')
from read_text('/proc/self/maps')
from read_text('/etc/passwd')
from read_json('SECRET')
from read_json_auto('SECRET')
from read_ndjson_objects('SECRET')
from read_parquet('FOLDER/*.parquet')
from parquet_scan('FOLDER/t.parquet')
from parquet_metadata('FOLDER/t.parquet')
from parquet_schema('FOLDER/t.parquet')
from parquet_kv_metadata('FOLDER/t.parquet')
from read_duckdb('FOLDER/other.duckdb')
from glob('FOLDER/*')
from glob('/*')
from 'TABLE'
from "TABLE"
select * from 'FOLDER/t.parquet'
from 'file:TABLE'
from 'file://TABLE'
from read_text('file://SECRET')
from '../../../../../../../../..TABLE'
from read_text(['SECRET', '/etc/hostname'])
with t as (from 'TABLE') from t
select (select count(*) from read_text('SECRET')) as n
select list_transform([1], lambda x: (select any_value(content) from read_text('SECRET')))
select * from range(1) t, lateral (from read_text('SECRET'))
select 1 union all select count(*) from read_csv('TABLE')
select 1 order by (select 1 from read_text('SECRET'))
select 1 limit (select count(*) from read_text('SECRET'))
describe from 'TABLE'
summarize 'TABLE'
summarize from read_csv('TABLE')
show 'TABLE'
pivot (from 'TABLE') on note in ('a') using count(*)
pivot 'TABLE' on note using count(*)
table "TABLE"
from query('from read_text(''SECRET'')')
from query_table('TABLE')
from query_table(['TABLE'])
from histogram('TABLE', note)
from histogram_values('TABLE', note)
from json_execute_serialized_sql(json_serialize_sql('from read_text(''SECRET'')'))
select read_text('SECRET')
select 'SECRET'.read_text()
select * from mart.publications_by_lab_year at (version => 1), read_text('SECRET')
from/**/read_text/**/('SECRET')
from system.main.read_text('SECRET')
from "read_text"('SECRET')
""",
    "write a file": """
copy (select 1) to 'OUT'
copy (select 1) to 'OUT' (format parquet)
copy (select 'x') to 'RELEASE' (format csv, use_tmp_file false)
copy mart.publications_by_lab_year to 'OUT'
copy (select 1) to '/dev/stdout'
copy mart.publications_by_lab_year from 'TABLE'
export database 'OUT'
import database 'FOLDER'
copy from database aisle to memory
attach 'OUT' as other
attach 'OUT' as other; create table other.t as select 1
attach 'FOLDER/other.duckdb' (read_only)
attach ':memory:' as other
attach 'RELEASE' as again
detach aisle
create table other as select 1
create or replace table mart.publications_by_lab_year as select 1
create temp table t as select * from range(10)
create view v as select 1
create macro f() as 1
create schema s
create sequence s
create type t as enum ('a')
create secret s (type s3)
create persistent secret s (type s3, key_id 'x')
insert into mart.publications_by_lab_year select * from mart.publications_by_lab_year
update mart.publications_by_lab_year set works = 1
delete from mart.publications_by_lab_year
truncate mart.publications_by_lab_year
merge into mart.publications_by_lab_year using (select 1) as s on false when not matched then insert default values
drop table mart.publications_by_lab_year
alter table mart.publications_by_lab_year add column x int
comment on table mart.publications_by_lab_year is 'x'
with x as (insert into mart.publications_by_lab_year (lab) values ('x') returning lab) from x
with x as (delete from clean.publications returning 1) select * from x
with x as (update clean.publications set lab = 'x' returning 1) select * from x
select * from (insert into clean.publications values (1))
checkpoint
force checkpoint
from force_checkpoint('aisle')
from checkpoint('aisle')
vacuum
analyze
begin transaction
commit
rollback
explain analyze copy (select 1) to 'OUT'
explain analyze insert into clean.publications values (1)
explain from read_text('SECRET')
select write_log('x')
from enable_logging(storage := 'file', storage_path := 'OUT')
call enable_logging(storage := 'file', storage_path := 'OUT')
pragma enable_profiling = 'json'
set profiling_output = 'OUT'; select 1
""",
    "settings": """
set threads = 8
set memory_limit = '100GB'
set temp_directory = 'FOLDER'
set enable_external_access = true
set disabled_filesystems = ''
set lock_configuration = false
set global max_execution_time = 0
set search_path = 'system'
set session authorization x
set variable x = 1
reset memory_limit
pragma threads = 8
pragma database_list
pragma version
pragma disable_optimizer
from pragma_database_list
from pragma_database_list()
from pragma_database_size()
from pragma_storage_info('mart.publications_by_lab_year')
from duckdb_settings()
from duckdb_settings
from duckdb_databases()
from duckdb_databases
from system.main.duckdb_databases
from system.duckdb_databases
from pg_catalog.pg_settings
from pg_settings
from pg_catalog.pg_database
from duckdb_logs()
from duckdb_logs
from duckdb_temporary_files()
from duckdb_memory()
from duckdb_variables()
from duckdb_external_file_cache()
from duckdb_prepared_statements()
select * from (with duckdb_databases as (select 1) from duckdb_databases), duckdb_databases
with duckdb_settings as (from duckdb_settings) from duckdb_settings
select * from (with pg_settings as (select 1) select 1), pg_settings
from histogram('duckdb_databases', path)
from histogram('pragma_database_list', file)
select current_setting('temp_directory')
select system.main.current_setting('home_directory')
select 'memory_limit'.current_setting()
select * replace (current_setting('threads') as a) from (select 1 as a)
select list_transform(['threads'], lambda s: current_setting(s))
select getvariable('x')
select getenv('PATH')
select getenv('HOME')
select 1 where getenv('PATH') is not null
select lag(current_setting('threads')) over ()
select count(*) filter (current_setting('threads') = '1')
select current_query(), txid_current()
select current_user
select session_user, user
select current_role from clean.publications
select "current_catalog"
select lab from clean.publications where current_schema = 'main'
select list_transform([1], lambda x: current_user)
select sleep_ms(1)
select pg_sleep(1)
select setseed(0.5)
pivot duckdb_databases() on path using count(*)
pivot (from duckdb_databases()) on path using count(*)
pivot mart.publications_by_lab_year on lab || current_setting('threads') using sum(works)
pivot mart.publications_by_lab_year on lab using any_value(current_setting('threads'))
with p as (pivot clean.publications on lab using count(*)) select * from p, duckdb_databases()
pivot mart.publications_by_lab_year on lab using sum(works) /* using */ group by current_setting('threads')
show databases; show variables
show variables
use memory
""",
    "other ways out": r"""
install httpfs
install httpfs from 'http://127.0.0.1:1/x'
force install httpfs
load httpfs
load 'OUT'
update extensions
from duckdb_extensions()
from duckdb_secrets()
from which_secret('s3://x', 's3')
from 'http://127.0.0.1:1/a.csv'
from read_csv('https://127.0.0.1:1/a.csv')
from read_parquet('s3://bucket/key.parquet')
from 'hf://datasets/a/b.parquet'
attach 'http://127.0.0.1:1/x.duckdb' as x
attach 'postgres:dbname=x' as x
attach 'sqlite:FOLDER/x' as x
from A_PYTHON_OBJECT
from request
from connection
from catalog
from sys
from pandas_scan(1)
from arrow_scan(1, 2, 3)
from python_map_function(1)
from seq_scan('x')
select * from A_PYTHON_OBJECT, mart.publications_by_lab_year
prepare p as select 1
execute p
deallocate p
prepare p as from read_text('SECRET'); execute p
call pragma_version()
call range(3)
select 1; select 2
select 1; drop table clean.publications
select 1;;select 2
select 1 -- x\x0a; set threads = 2
select 1\x0b;\x0c select 2
\xa0select\u30001; set threads = 2
;
-- only a comment
select $1
select ?
select * from sql_auto_complete('sel')
select json_deserialize_sql(json_serialize_sql('select 1'))
select json_serialize_plan('select 1')
select __internal_decompress_string(1::hugeint)
select finalize('x'::blob)
select \x00 1
select 1 into outfile 'OUT'
lock table clean.publications
grant all on clean.publications to x
do $$ begin end $$
listen x
\copy x
.shell touch OUT
!touch OUT
""",
}
ALL_ATTEMPTS = [
    pytest.param(
        query.encode().decode("unicode_escape") if "\\x" in query or "\\u" in query else query,
        id=f"{family}: {query}"[:90],
    )
    for family, queries in ATTEMPTS.items()
    for query in queries.strip().splitlines()
]


@dataclass(frozen=True)
class Canary:
    """A release, and a folder beside it in which every trace of a query would show."""

    release: Release
    folder: Path

    def fill_paths(self, text: str) -> str:
        names = {"SECRET": "secret.txt", "TABLE": "table.csv", "OUT": "out"}
        for word, name in names.items():
            text = text.replace(word, str(self.folder / name))
        return text.replace("FOLDER", str(self.folder)).replace("RELEASE", str(self.release.path))

    def read_hashes(self) -> dict[str, str]:
        """Content hash of every file in the folder and in the releases, and the names in the working folder of the sandbox."""
        files = [*self.folder.rglob("*"), *self.release.path.parent.rglob("*")]
        hashes = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}
        return {**hashes, "/": str(sorted(Path("/").iterdir()))}


@pytest.fixture(scope="session")
def release(released_lake: Lake) -> Release:
    return read_current_release(released_lake)


@pytest.fixture(scope="module")
def canary(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Canary:
    folder = tmp_path_factory.mktemp("canary")
    (folder / "secret.txt").write_text("a canary sings", encoding="utf-8")
    (folder / "table.csv").write_text("note\na canary sings\n", encoding="utf-8")
    (folder / "schema.sql").write_text("create table imported (a int);", encoding="utf-8")
    duckdb.sql("select 'a canary sings' as note").write_parquet(str(folder / "t.parquet"))
    with duckdb.connect(folder / "other.duckdb") as other:
        other.execute("create table t as select 'a canary sings' as note")
    return Canary(release, folder)


@pytest.fixture(scope="module")
def original_files(canary: Canary) -> dict[str, str]:
    return canary.read_hashes()


@pytest.mark.trials("ordinary SQL queries in the sandbox")
@pytest.mark.parametrize("query", pick_trials(ORDINARY_QUERIES, 20))
def test_ordinary_query_gives_the_same_result_as_duckdb(release: Release, query: str) -> None:
    with release.connect() as connection:
        expected = read_table(connection.sql(query))
    result = client.run_query(release, query)
    assert result.table.equals(expected)
    assert not result.is_truncated


@pytest.mark.trials("hostile SQL queries")
@pytest.mark.parametrize("query", pick_trials(ALL_ATTEMPTS, 50))
def test_attempt_fails_and_leaves_no_trace(canary: Canary, original_files: dict[str, str], query: str) -> None:
    with pytest.raises(QueryFailed) as error:
        client.run_query(canary.release, canary.fill_paths(query))
    assert error.value.reason in (FailureReason.refused, FailureReason.failed)
    assert "canary sings" not in str(error.value)
    assert str(canary.release.path.parent) not in str(error.value)
    assert canary.read_hashes() == original_files
