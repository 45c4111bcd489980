"""Sessions as they are stored and shown: values, rules, tables."""
