"""Results that are kept, and the tables, pages and pictures made of them."""
