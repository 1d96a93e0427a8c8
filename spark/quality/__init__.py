"""Data quality: rules as data, asked of what packets say before facts are made of it (docs/quality.md)."""
