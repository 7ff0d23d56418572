"""A recipe run over values and seeds: planned before anything runs, kept run by run, told in one table."""
