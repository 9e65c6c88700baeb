//! Processes of the suites: killed when they are dropped, so that none outlives its test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A process that was started, and the file with what it says.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it writes on stdout and stderr goes into a file.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let errors = file.try_clone().expect("a second handle of the log");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{command:?}: {error}")), log: log.to_owned() }
    }

    /// Starts a command whose stdout and stderr are pipes. Nobody reads them, so that it must not say much
    /// before [`Self::stop_listening`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_piped(command: &mut Command, log: &Path) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{command:?}: {error}")), log: log.to_owned() }
    }

    /// Closes the pipes: what the process writes from now on fails.
    pub fn stop_listening(&mut self) {
        drop((self.child.stdout.take(), self.child.stderr.take()));
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has had so far, in bytes (`VmHWM`).
    ///
    /// # Panics
    /// When it has ended already.
    pub fn peak_memory(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
        peak.trim().trim_end_matches(" kB").trim().parse::<usize>().expect("a number") << 10
    }

    /// The file with what it says.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal)
            .unwrap_or_else(|error| panic!("process {}: {error}; it said:\n{}", self.pid(), self.log()));
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within [`wait::DEADLINE`].
    pub fn ended(&mut self) -> ExitStatus {
        let (mut status, log) = (None, self.log.clone());
        wait::until(&format!("process {} ends ({})", self.pid(), log.display()), || {
            status = self.child.try_wait().expect("a child of ours");
            status.is_some()
        });
        status.expect("it ended")
    }

    /// Waits for its end, which must have this status.
    ///
    /// # Panics
    /// When it does not end, or ends in another way; says what it wrote.
    pub fn ends_with(&mut self, code: i32) {
        let status = self.ended();
        assert_eq!(status.code(), Some(code), "process {} said:\n{}", self.pid(), self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
