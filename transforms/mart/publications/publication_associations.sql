/*
row = "Two properties of works, with the strength and the test of their association."
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
with value_pairs as (
    select
        category as first_value,
        'lab' as second_dimension,
        lab as second_value,
        works
    from mart.publications_by_lab_category_month
    union all
    select
        category as first_value,
        'year' as second_dimension,
        strftime(published_month, '%Y') as second_value,
        works
    from mart.publications_by_lab_category_month
),

row_totals as (
    select
        first_value,
        second_dimension,
        sum(works) as row_total
    from value_pairs
    group by all
    having sum(works) > 0
),

column_totals as (
    select
        second_dimension,
        second_value,
        sum(works) as column_total,
        sum(sum(works)) over (partition by second_dimension) as total
    from value_pairs
    group by second_dimension, second_value
    having sum(works) > 0
),

cells as (
    select
        row_totals.second_dimension,
        row_totals.first_value,
        column_totals.second_value,
        column_totals.total,
        coalesce(sum(value_pairs.works), 0) as observed,
        row_totals.row_total * column_totals.column_total / column_totals.total as expected
    from row_totals
    inner join column_totals on row_totals.second_dimension = column_totals.second_dimension
    left join value_pairs
        on
            row_totals.second_dimension = value_pairs.second_dimension
            and row_totals.first_value = value_pairs.first_value
            and column_totals.second_value = value_pairs.second_value
    group by all
),

tables as (
    select
        second_dimension,
        cast(max(total) as bigint) as works,
        round(sum(power(observed - expected, 2) / expected), 12) as chi_square, -- further digits depend on the order of the terms
        cast((count(distinct first_value) - 1) * (count(distinct second_value) - 1) as bigint) as degrees_of_freedom,
        least(count(distinct first_value), count(distinct second_value)) as smaller,
        count(distinct second_value) as columns,
        cast(count(*) filter (where expected < 5) as bigint) as small_cells,
        list(cast(observed as double) order by first_value, second_value) as counts
    from cells
    group by second_dimension
),

associations as (
    select
        *,
        case when degrees_of_freedom > 0 then least(1.0, sqrt(chi_square / works / (smaller - 1))) end as cramers_v,
        association_p_value(counts, columns) as p_value
    from tables
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
