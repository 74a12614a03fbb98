"""Stores: where pages and items end up."""
