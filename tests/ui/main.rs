//! What compiles, and what users read where it does not.
//!
//! `TRYBUILD=overwrite cargo test -p narad-tests --test ui` writes the `.stderr` files anew; read each as a user would.

#[test]
fn events() {
    run("event");
}

#[test]
fn handlers() {
    run("handler");
}

#[test]
fn failures() {
    run("failure");
}

fn run(of: &str) {
    let cases = trybuild::TestCases::new();
    cases.pass(format!("ui/{of}/pass/*.rs"));
    cases.compile_fail(format!("ui/{of}/fail/*.rs"));
}
