/*
row = "Two properties of works, with the strength and the test of their association (corpus iaps_mapping)."
key = ["first_dimension", "second_dimension"]

[columns]
first_dimension = { type = "text", meaning = "One property of a work.", required = true, one_of = ["category"] }
second_dimension = { type = "text", meaning = "The other property.", required = true, one_of = ["lab", "year"] }
works = { minimum = 0 }
chi_square = { type = "real", unit = "χ²", meaning = "Pearson's chi-square statistic of independence.", minimum = 0 }
degrees_of_freedom = { type = "integer", unit = "degrees of freedom", meaning = "(rows - 1)(columns - 1), counting only rows and columns with works.", required = true, minimum = 0 }
cramers_v = { type = "real", unit = "0 to 1", meaning = "Cramér's V: 0 for no association, 1 for a complete one; missing unless both properties have two values.", minimum = 0, maximum = 1 }
p_value = { type = "real", unit = "probability", meaning = "Monte Carlo p-value of independence, with the same row and column totals.", minimum = 0, maximum = 1 }
p_adjusted = { type = "real", unit = "probability", meaning = "The p-value adjusted for all pairs of this table (Benjamini-Hochberg).", minimum = 0, maximum = 1 }
small_cells = { type = "integer", unit = "cells", meaning = "Cells with fewer than 5 expected works, for which a chi-square p-value would not hold.", required = true, minimum = 0 }
sentence = { type = "text", meaning = "The association as a quotable sentence.", required = true }
counting_rule = {}
*/
with cells as (
    select
        category as first_value,
        'lab' as second_dimension,
        lab as second_value,
        sum(works) as observed
    from mart.publications_by_lab_category_month
    where works > 0
    group by all
    union all
    select
        category as first_value,
        'year' as second_dimension,
        strftime(published_month, '%Y') as second_value,
        sum(works) as observed
    from mart.publications_by_lab_category_month
    where works > 0
    group by all
),

row_totals as (
    select
        second_dimension,
        first_value,
        sum(observed) as row_total,
        row_number() over (partition by second_dimension order by first_value) as place
    from cells
    group by second_dimension, first_value
),

column_totals as (
    select
        second_dimension,
        second_value,
        sum(observed) as column_total,
        row_number() over (partition by second_dimension order by second_value) as place
    from cells
    group by second_dimension, second_value
),

dimension_totals as (
    select
        second_dimension,
        sum(observed) as total
    from cells
    group by second_dimension
),

-- cells with few expected works, counted by their totals: there are fewer different totals than works
equal_rows as (
    select
        second_dimension,
        row_total,
        count(*) as rows
    from row_totals
    group by all
),

equal_columns as (
    select
        second_dimension,
        column_total,
        count(*) as columns
    from column_totals
    group by all
),

small_cells as (
    select
        equal_rows.second_dimension,
        cast(sum(equal_rows.rows * equal_columns.columns) filter (
            where equal_rows.row_total * equal_columns.column_total < 5 * dimension_totals.total
        ) as bigint) as small_cells
    from equal_rows
    inner join equal_columns on equal_rows.second_dimension = equal_columns.second_dimension
    inner join dimension_totals on equal_rows.second_dimension = dimension_totals.second_dimension
    group by equal_rows.second_dimension
),

-- Σ (o - e)² / e is Σ o² / e less n, which has no terms for empty cells
tables as (
    select
        cells.second_dimension,
        cast(sum(cells.observed) as bigint) as works,
        sum(cells.observed * cells.observed / (row_totals.row_total * column_totals.column_total) order by row_totals.place, column_totals.place)
            as squares,
        cast((max(row_totals.place) - 1) * (max(column_totals.place) - 1) as bigint) as degrees_of_freedom,
        least(max(row_totals.place), max(column_totals.place)) as smaller,
        list(cast(row_totals.place as double) order by row_totals.place, column_totals.place) as first_places,
        list(cast(column_totals.place as double) order by row_totals.place, column_totals.place) as second_places,
        list(cast(cells.observed as double) order by row_totals.place, column_totals.place) as counts
    from cells
    inner join row_totals on cells.second_dimension = row_totals.second_dimension and cells.first_value = row_totals.first_value
    inner join column_totals
        on cells.second_dimension = column_totals.second_dimension and cells.second_value = column_totals.second_value
    group by cells.second_dimension
),

statistics as (
    select
        tables.*,
        coalesce(small_cells.small_cells, 0) as small_cells,
        greatest(0.0, round(tables.works * (tables.squares - 1), 12)) as chi_square
    from tables
    inner join small_cells on tables.second_dimension = small_cells.second_dimension
),

associations as (
    select
        *,
        case when degrees_of_freedom > 0 then least(1.0, sqrt(chi_square / works / (smaller - 1))) end as cramers_v,
        association_p_value(first_places, second_places, counts) as p_value
    from statistics
),

ranked_tests as (
    select
        *,
        row_number() over (order by p_value nulls last, second_dimension) as place,
        count(p_value) over () as tests
    from associations
),

adjusted_tests as (
    select
        *,
        case when p_value is not null then least(1.0, min(p_value * tests / place) over (
            order by place desc
            rows between unbounded preceding and current row
        )) end as p_adjusted
    from ranked_tests
)

select
    'category' as first_dimension,
    second_dimension,
    works,
    chi_square,
    degrees_of_freedom,
    cramers_v,
    p_value,
    p_adjusted,
    small_cells,
    case
        when p_value is null then concat('Category and ', second_dimension, ': too few values to compare.')
        else concat(
            'Category and ',
            second_dimension,
            case when p_adjusted < 0.05 then ' go together' else ' show no clear association' end,
            printf(' (Cramér’s V %.2f, ', cramers_v),
            case when p_adjusted < 0.001 then 'corrected p below 0.001' else printf('corrected p %.3f', p_adjusted) end,
            printf(', %d works).', works)
        )
    end as sentence,
    'works' as counting_rule
from adjusted_tests
order by second_dimension
