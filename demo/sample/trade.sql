-- What happens in the shop between two runs: a new customer, 5 orders, and a ticket.
with customer as (
  insert into sales.customers (id, name, since)
  select max(id) + 1, 'customer ' || max(id) + 1, current_date from sales.customers
  returning id
),
placed as (
  insert into sales.orders (id, customer_id, placed_on)
  select last.id + n, 1 + n, current_date
  from (select max(id) as id from sales.orders) as last
  cross join generate_series(1, 5) as n
  returning id
),
line as (
  insert into sales.order_lines (order_id, line, product_id, quantity)
  select placed.id, line, line, 1 from placed cross join generate_series(1, 2) as line
  returning product_id, quantity
),
movement as (
  insert into "Warehouse"."Stock Movements" (product_id, change)
  select product_id, -quantity from line
)
insert into support.tickets (customer_id, question)
select 1, 'Where is my order?';
