//! What users read where something does not compile.
//!
//! `NARAD_OVERWRITE=1 cargo test -p narad-ui-tests --test compile_fail` writes the `.stderr` files anew;
//! read each as a user would.

mod compiler;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use compiler::Compiler;

/// Each case is one call of the compiler; as many run side by side as the machine has processors.
#[test]
fn what_cannot_work_does_not_compile() {
    let compiler = Compiler::find();
    let overwrite = std::env::var_os("NARAD_OVERWRITE").is_some();
    let cases = Mutex::new(cases().into_iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().next() else { break };
                    if let Err(text) = check(&compiler, &case, overwrite) {
                        wrong.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} cases are not as expected:\n\n{}", wrong.len(), wrong.join("\n"));
}

fn check(compiler: &Compiler, case: &Path, overwrite: bool) -> Result<(), String> {
    let name = case.display();
    let (compiles, said) = compiler.check(case);
    if compiles {
        return Err(format!("{name} compiles\n{said}"));
    }
    let file = case.with_extension("stderr");
    let expected = fs::read_to_string(&file).unwrap_or_default();
    match (said == expected, overwrite) {
        (true, _) => Ok(()),
        (false, true) => fs::write(&file, said).map_err(|error| error.to_string()),
        (false, false) => Err(format!("{name}\n-- expected:\n{expected}\n-- the compiler said:\n{said}")),
    }
}

/// Relative to the package, as the compiler shall call them.
fn cases() -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for kind in ["event", "failure", "handler"] {
        let folder = Path::new(kind).join("fail");
        let of_kind: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| folder.join(entry.unwrap().file_name()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .collect();
        assert!(!of_kind.is_empty(), "no case in {}", folder.display());
        cases.extend(of_kind);
    }
    cases.sort();
    cases
}

#[test]
fn every_text_belongs_to_a_case() {
    for case in cases() {
        let folder = fs::read_dir(case.parent().unwrap()).unwrap();
        for file in folder.map(|entry| entry.unwrap().path()) {
            assert!(file.with_extension("rs").exists(), "{} has no case", file.display());
        }
    }
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
