"""What people see: tables, charts, messages, pages and exchange formats."""
