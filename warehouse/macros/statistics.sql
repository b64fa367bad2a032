-- Formulas that several tables share. Every release has them too, for your own queries.

-- Wilson score interval of a share at 95 %: c = (p + z²/2n) / (1 + z²/n), h = z/(1 + z²/n) · sqrt(p(1-p)/n + z²/4n²),
-- with z = 1.959963984540054. Wilson, J. Am. Stat. Assoc. 22 (1927) 209. Missing where there are no trials.
-- Divided by n in steps, since n² overflows.
create or replace macro wilson_low(successes, trials) as
    case
        when trials > 0 and successes between 0 and trials
            then greatest(0.0, (
                successes / trials + 3.8414588206941227 / 2 / trials
                - 1.959963984540054 * sqrt(
                    successes / trials * (1 - successes / trials) / trials
                    + 3.8414588206941227 / 4 / trials / trials
                )
            ) / (1 + 3.8414588206941227 / trials))
    end;

create or replace macro wilson_high(successes, trials) as
    case
        when trials > 0 and successes between 0 and trials
            then least(1.0, (
                successes / trials + 3.8414588206941227 / 2 / trials
                + 1.959963984540054 * sqrt(
                    successes / trials * (1 - successes / trials) / trials
                    + 3.8414588206941227 / 4 / trials / trials
                )
            ) / (1 + 3.8414588206941227 / trials))
    end;

create or replace macro share_of(successes, trials) as
    case when trials > 0 and successes between 0 and trials then successes / trials end;

-- The wording rules: which numbers are shown, and what they are called. Tables and pages only call these macros.

-- Why a share should not be quoted without its interval: few trials or a wide interval; missing otherwise.
create or replace macro share_caution(successes, trials) as
    case
        when trials < 30 then 'fewer than 30 in all'
        when wilson_high(successes, trials) - wilson_low(successes, trials) > 0.20 then 'interval wider than 0.20'
    end;

-- What a change between two periods is called: up or down only if its interval, corrected for all comparisons of the
-- table, excludes no change.
create or replace macro change_finding(events_before, events_after, corrected_low, corrected_high, no_change) as
    case
        when least(events_before, events_after) < 5 then 'too few'
        when corrected_low > no_change then 'up'
        when corrected_high < no_change then 'down'
        else 'no clear change'
    end;

-- 1 less the level of the corrected intervals: 0.05 times the share of the tests that pass after Benjamini and Hochberg,
-- at least one.
-- Benjamini and Yekutieli, J. Am. Stat. Assoc. 100 (2005) 71.
create or replace macro corrected_alpha(passed, tests) as
    0.05 * greatest(passed, 1) / tests;

-- A growth; missing where either period has fewer than five events.
create or replace macro growth_shown(events_before, events_after, growth) as
    case when least(events_before, events_after) >= 5 then growth end;

-- A seasonal statistic; missing below 36 months.
create or replace macro season_shown(months, statistic) as
    case when months >= 36 then statistic end;

-- First day of the provisional months, which may still gain publications: the newest three, until 50 reporting delays
-- are known.
create or replace macro provisional_since(newest_day, reporting_delays) as
    case when reporting_delays < 50 then cast(date_trunc('month', newest_day) - interval 2 month as date) end;
