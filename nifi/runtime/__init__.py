"""Apache NiFi 2.3.0 from its parts on Maven Central: installed once, run from a home for each stack."""
