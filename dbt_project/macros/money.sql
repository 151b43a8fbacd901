{#- Money in SQL: the twins of domain/money.py. Whole minor units in, whole minor units out, one rounding. -#}

{#- `numerator / denominator` to a whole number, ties away from zero. The denominator must be positive. DuckDB's `//`
    truncates towards zero, so the magnitude is rounded and the sign put back. -#}
{% macro half_up(numerator, denominator) -%}
cast(
    sign({{ numerator }})
    * ((2 * abs(cast({{ numerator }} as hugeint)) + {{ denominator }}) // (2 * cast({{ denominator }} as hugeint)))
    as bigint
)
{%- endmacro %}

{#- Minor units in one unit of the currency; an unknown currency stops the query rather than count as two decimals. -#}
{% macro minor_units(currency) -%}
case
    when {{ currency }} in ('USD', 'CNY', 'HKD', 'EUR', 'GBP', 'CHF') then 100
    when {{ currency }} = 'JPY' then 1
    when {{ currency }} = 'KWD' then 1000
    when {{ currency }} is not null then error('Unknown currency ' || {{ currency }} || ': add it to macros/money.sql')
end
{%- endmacro %}

{#- Value of a position in minor units; negative for a short. -#}
{% macro market_value_minor(quantity_shares, price_e4, currency) -%}
{{ half_up(
    "cast(" ~ quantity_shares ~ " as hugeint) * " ~ price_e4 ~ " * (" ~ minor_units(currency) ~ ")", 10000
) }}
{%- endmacro %}

{#- `amount x ratio` rounded half up; the ratio counts to nine decimals, so that 0.1 means one tenth. -#}
{% macro ratio_of_minor(amount_minor, ratio) -%}
{{ half_up(
    "cast(" ~ amount_minor ~ " as hugeint) * cast(round(" ~ ratio ~ " * 1000000000) as bigint)", 1000000000
) }}
{%- endmacro %}

{#- For people: the same money in units of the currency, exact. Never read back into a computation. -#}
{% macro minor_to_amount(amount_minor, currency) -%}
cast(
    cast({{ amount_minor }} as decimal(19, 0))
    * case {{ minor_units(currency) }}
        when 1 then cast(1 as decimal(5, 4))
        when 100 then cast(0.01 as decimal(5, 4))
        when 1000 then cast(0.001 as decimal(5, 4))
    end
    as decimal(20, 4)
)
{%- endmacro %}

{#- For people: `1,234.56 USD`, as domain/money.py writes it. Of amounts that are not negative. -#}
{% macro format_minor(amount_minor, currency) -%}
(
    format('{:,}', cast({{ amount_minor }} as hugeint) // {{ minor_units(currency) }})
    || case {{ minor_units(currency) }}
        when 1 then ''
        when 100 then '.' || lpad(cast(cast({{ amount_minor }} as hugeint) % 100 as varchar), 2, '0')
        when 1000 then '.' || lpad(cast(cast({{ amount_minor }} as hugeint) % 1000 as varchar), 3, '0')
    end
    || ' ' || {{ currency }}
)
{%- endmacro %}
