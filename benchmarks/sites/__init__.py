"""The sites that the benchmarks ask."""
