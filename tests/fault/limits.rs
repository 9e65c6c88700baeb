//! Limits of the machine that a process runs into.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use narad_tests::cluster::Stored;
use narad_tests::deployment::{AMONG_OTHERS, Deployment, work};
use narad_tests::kafka::Kafka;
use narad_tests::ledger::{self, now};
use narad_tests::proxy::Proxy;
use narad_tests::wait;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{APP, assert_kept, deploy, once, stop};

const RECORDS: usize = 12_000;

/// Its connections break, and it has no file descriptor for new ones until the limit is raised.
#[test]
fn a_process_without_a_file_descriptor_says_so_and_goes_on_once_it_has_one() {
    once(|cluster| {
        let (deployment, proxy) = (deploy(cluster, RECORDS), Proxy::start());
        let process = deployment.start(&[
            ("KAFKA_BROKERS", proxy.address()),
            ("APP_WAIT_MS", "20"),
            ("APP_FAIL_EVERY", "100"),
            ("NARAD_KAFKA_RECONNECT_BACKOFF_MAX_MS", "500"),
        ]);
        deployment.await_steps(2_000);
        let since = now().saturating_sub(AMONG_OTHERS.as_nanos() as u64);
        let pid = Pid::from_raw(process.pid() as i32).expect("a process of ours");
        let limit = |current| Rlimit { current: Some(current), maximum: Some(1_024) };
        // What is open stays open.
        prlimit(Some(pid), Resource::Nofile, limit(3)).expect("a limit");
        proxy.cut();
        wait::until_within(Duration::from_secs(40), "it says what it lacks", || {
            process.log().contains("no file descriptor is left")
        });
        deployment.sample();
        prlimit(Some(pid), Resource::Nofile, limit(1_024)).expect("a limit");
        deployment.await_committed(RECORDS);
        deployment.cut_off(&process, since);
        stop(process);
        deployment.excuse_losses();
        assert_kept(&deployment);
    });
}

/// What a process may have of memory that is its own, stacks of threads included: where it needs more, it is
/// aborted.
const MEMORY: u64 = 320 << 20;

/// Its limit is above what it is bound to, and far below what waits for it.
#[test]
fn a_process_with_a_memory_limit_reads_a_long_backlog_without_running_into_it() {
    once(|cluster| {
        let (deployment, records) = (Deployment::new(cluster, APP, 8), 80_000);
        let padding = "x".repeat(5_000);
        cluster.write(
            &deployment.topic,
            work(records, 1_000).map(|record| {
                let mut value: serde_json::Value =
                    serde_json::from_slice(&record.value.unwrap_or_default()).expect("JSON");
                value["padding"] = padding.as_str().into();
                Stored { value: Some(value.to_string().into_bytes()), ..record }
            }),
        );
        let mut process = deployment.start(&[("APP_WAIT_MS", "20")]);
        let pid = Pid::from_raw(process.pid() as i32).expect("a process of ours");
        prlimit(Some(pid), Resource::Data, Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) })
            .expect("a limit");
        deployment.await_committed(records);
        println!("at most {} MiB", process.peak_memory() >> 20);
        assert!(process.runs(), "{}", process.log());
        stop(process);
        assert_kept(&deployment);
    });
}

/// A small file system of its own, which goes with it.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`, and a line, where nothing may be mounted.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: no file system may be mounted here");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all that is left of it.
    fn fill(&self) {
        let filled = std::fs::write(self.path().join("filling"), vec![0; 256 << 20]);
        assert!(filled.is_err(), "it is small");
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filling")).expect("the file that fills it");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Half of the partitions are on a disk that is full: the broker gives that disk up, and what is on the other
/// one goes on. With space, and the broker started again, all goes on.
///
/// By hand, with `NARAD_TEST_FULL_DISK=1`: it mounts a file system, which takes root.
#[test]
fn a_disk_of_the_broker_is_full() {
    if std::env::var_os("NARAD_TEST_FULL_DISK").is_none() {
        return eprintln!("skipped: NARAD_TEST_FULL_DISK is not set");
    }
    once(|_| {
        let Some(disk) = Disk::mount("96m") else { return };
        let healthy = tempfile::tempdir().expect("a folder");
        let (metadata, logs) = (healthy.path().join("metadata"), healthy.path().join("logs"));
        let full = disk.path().join("logs");
        let dirs = format!(
            "metadata.log.dir={}\nlog.dirs={},{}",
            metadata.display(),
            logs.display(),
            full.display()
        );
        let kafka = Kafka::start_with(1, &dirs);
        let deployment = deploy(&kafka.cluster, 40_000);
        let processes =
            [(); 2].map(|()| deployment.start(&[("APP_WAIT_MS", "20"), ("APP_FAIL_EVERY", "50")]));
        deployment.await_steps(6_000);
        deployment.sample();
        let since = now().saturating_sub(AMONG_OTHERS.as_nanos() as u64);
        disk.fill();
        let (steps, committed) = (deployment.steps(), deployment.committed());
        wait::until("it is said that what fails waits", || {
            processes.iter().any(|process| process.log().contains("the record's key waits"))
        });
        std::thread::sleep(Duration::from_secs(10));
        println!(
            "with a full disk: {} more steps, {} more committed",
            deployment.steps() - steps,
            deployment.committed() - committed
        );
        let mut said: Vec<String> =
            processes.iter().flat_map(|process| ledger::lines(process.log_file())).collect();
        said.retain(|line| {
            (line.contains(" WARN ") || line.contains(" ERROR ")) && !line.contains("attempt failed")
        });
        said.iter().take(20).for_each(|line| println!("{line}"));
        disk.free();
        kafka.kill(1);
        kafka.restart(1);
        deployment.await_committed(40_000);
        processes.iter().for_each(|process| deployment.cut_off(process, since));
        for process in processes {
            stop(process);
        }
        assert_kept(&deployment);
    });
}
