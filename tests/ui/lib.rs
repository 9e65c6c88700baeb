//! What compiles (`*/pass`) and what users read where it does not (`*/fail`).
