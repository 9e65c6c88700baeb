//! What users read where something does not compile.
//!
//! `TRYBUILD=overwrite cargo test -p narad-ui-tests --test
//! compile_fail` writes the `.stderr` files anew; read each as a user would.

use std::fs;
use std::path::Path;

/// All cases in one call: they are checked side by side by one run of cargo.
#[test]
fn what_cannot_work_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("*/fail/*.rs");
}

#[test]
fn every_program_that_must_compile_is_a_target_of_this_package() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    let mut programs = 0;
    for kind in ["event", "failure", "handler"] {
        for program in fs::read_dir(package.join(kind).join("pass")).unwrap() {
            let program = program.unwrap().file_name().into_string().unwrap();
            let path = format!("path = \"{kind}/pass/{program}\"");
            assert!(manifest.contains(&path), "Cargo.toml has no [[test]] with {path}");
            programs += 1;
        }
    }
    assert_eq!(programs, manifest.matches("harness = false").count(), "a target without a program");
}
