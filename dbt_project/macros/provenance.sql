{#- The source of what is made from two sources: one synthetic part makes the whole synthetic. -#}
{% macro source_of_both(first, second) -%}
case when {{ second }} = 'synthetic' then 'synthetic' else {{ first }} end
{%- endmacro %}
