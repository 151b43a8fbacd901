{#- The business day asked for with --vars, or none. What is not a date never reaches a statement. -#}
{% macro business_day() -%}
    {%- set day = var('as_of_date', none) -%}
    {%- if day is not none -%}
        {%- if not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}', day | string) -%}
            {{ exceptions.raise_compiler_error("as_of_date must be a day like 2026-06-17, but got " ~ day) }}
        {%- endif -%}
        date '{{ day }}'
    {%- endif -%}
{%- endmacro %}

{#- Every generic test reads through this: with a business day, that day alone; without, everything. A close must not
    grow slower with the years behind it. -#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [] -%}
    {%- if config.get('where') -%}{%- do conditions.append(config.get('where')) -%}{%- endif -%}
    {%- if business_day() -%}{%- do conditions.append('as_of_date = ' ~ business_day()) -%}{%- endif -%}
    {%- if conditions -%}
        (select * from {{ relation }} where {{ conditions | join(' and ') }}) as rows_to_test
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- The day being closed: the one asked for, or the last one the books were extracted for. -#}
{% macro closing_day() -%}
    {%- if business_day() -%}
        {{ business_day() }}
    {%- else -%}
        (select max(extracts.as_of_date) from {{ ref('stg_books__balances') }} as extracts)
    {%- endif -%}
{%- endmacro %}

{#- The last day that was closed into this table before it; the beginning of time before the first close. Asked while
    compiling: with a day in the statement only the files of newer days are opened. -#}
{% macro previous_close(column='as_of_date') -%}
    {%- set found = none -%}
    {%- if execute and is_incremental() -%}
        {%- set asked = 'select max(' ~ column ~ ') from ' ~ this ~ ' where ' ~ column ~ ' < ' ~ closing_day() -%}
        {%- set found = run_query(asked).columns[0].values()[0] -%}
    {%- endif -%}
    date '{{ found if found is not none else '0001-01-01' }}'
{%- endmacro %}
