"""The history's database: tables, migrations, roles, reference data and the views that people read."""
