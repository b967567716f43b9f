//! One run of a program: its own process group, a clean environment, a little of its output.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use indexmap::IndexMap;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// How much of each output stream is kept: its beginning.
const KEPT: usize = 64 * 1024;

/// How long output is waited for after the exit: something that the program left behind may hold it open.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What a program gets of this process's environment. Not the rest: credentials are kept there.
const PASSED_ON: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];

/// How a program ended and what it said.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs it to its end. Dropped before that, it kills the program and all that it started.
pub(super) async fn run(argv: &[String], env: Option<&IndexMap<String, String>>) -> io::Result<Ended> {
    let (program, arguments) =
        argv.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program"))?;
    let passed_on = PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(passed_on)
        .envs(env.into_iter().flatten())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = {
        // Read while it runs: a full pipe would keep it from ending.
        let mut reading = std::pin::pin!(async {
            tokio::join!(head(stdout.as_mut(), &mut out), head(stderr.as_mut(), &mut err));
        });
        let mut silent = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut reading, if !silent => silent = true,
            }
        };
        // Its group may have ended with it, and the number may be another's soon.
        group.0 = None;
        if !silent {
            let _ = tokio::time::timeout(LAST_WORDS, reading).await;
        }
        status
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended { status, stdout: text(&out), stderr: text(&err) })
}

/// A program and all that it started: killed when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It can fail only because the group is gone, which is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Keeps the beginning and reads on to the end, so that the writer is never held up.
async fn head(stream: Option<&mut (impl AsyncRead + Unpin)>, kept: &mut Vec<u8>) {
    let Some(stream) = stream else { return };
    let mut chunk = [0u8; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(chunk.get(..read.min(room)).unwrap_or_default());
    }
}
