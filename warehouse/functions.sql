-- Formulae that several tables share, written once. They are in every release too, for anyone's own queries.

-- Wilson score interval of a share at 95 %: c = (p + z²/2n) / (1 + z²/n), h = z/(1 + z²/n) · sqrt(p(1-p)/n + z²/4n²),
-- with z = 1.959963984540054. Wilson, J. Am. Stat. Assoc. 22 (1927) 209. Missing where there are no trials.
-- Divided by n step by step, since n² overflows.
create or replace macro wilson_low(successes, trials) as
    case
        when trials > 0
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
        when trials > 0
            then least(1.0, (
                successes / trials + 3.8414588206941227 / 2 / trials
                + 1.959963984540054 * sqrt(
                    successes / trials * (1 - successes / trials) / trials
                    + 3.8414588206941227 / 4 / trials / trials
                )
            ) / (1 + 3.8414588206941227 / trials))
    end;

create or replace macro share_of(successes, trials) as
    case when trials > 0 then successes / trials end;
