{#- The column is never below zero, and never a number that is not one. Null is not judged here. -#}
{% test non_negative(model, column_name) %}

select {{ column_name }}

from {{ model }}
where not ({{ column_name }} >= 0 and {{ column_name }} < cast('infinity' as double))

{% endtest %}
