-- A small shop, to have something to count.
create schema sales;
create schema "Warehouse";
create schema support;

create table sales.customers (
  id integer primary key,
  name text not null,
  since date not null
);
insert into sales.customers
select n, 'customer ' || n, date '2026-01-01' + n % 180 from generate_series(1, 240) as n;

create table sales.orders (
  id integer not null,
  customer_id integer not null references sales.customers,
  placed_on date not null,
  primary key (id, placed_on)
) partition by range (placed_on);
create table sales.orders_2026_h1 partition of sales.orders for values from ('2026-01-01') to ('2026-07-01');
create table sales.orders_2026_h2 partition of sales.orders for values from ('2026-07-01') to ('2027-01-01');
create table sales.orders_later partition of sales.orders default;
insert into sales.orders
select n, n % 240 + 1, date '2026-01-01' + n % 300 from generate_series(1, 1500) as n;

create table sales.order_lines (
  order_id integer not null,
  line integer not null,
  product_id integer not null,
  quantity integer not null,
  primary key (order_id, line)
);
insert into sales.order_lines
select n, line, (n * 7 + line) % 60 + 1, n % 3 + 1
from generate_series(1, 1500) as n
cross join generate_series(1, 1 + n % 3) as line;

create table "Warehouse"."Products" (
  id integer primary key,
  "Name" text not null,
  "Price" numeric(8, 2) not null
);
insert into "Warehouse"."Products"
select n, 'product ' || n, n * 1.25 from generate_series(1, 60) as n;

create table "Warehouse"."Stock Movements" (
  id integer generated always as identity primary key,
  product_id integer not null references "Warehouse"."Products",
  change integer not null
);
insert into "Warehouse"."Stock Movements" (product_id, change)
select n % 60 + 1, 20 - n % 40 from generate_series(1, 900) as n;

create table support.tickets (
  id integer generated always as identity primary key,
  customer_id integer not null references sales.customers,
  question text not null
);

create view sales.best_customers as
select customer_id, count(*) as orders from sales.orders group by customer_id order by orders desc limit 10;
