//! The suites of Narad, one program each.
