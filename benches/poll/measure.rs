//! What one child costs: a small process of its own starts it, waits, and asks the system.

use std::{
    error::Error,
    process::{Command, Stdio},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use serde::{Deserialize, Serialize};

/// What a run cost and what it printed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds on a processor, user and system together.
    pub cpu: f64,
    /// Of these, in the kernel.
    pub system: f64,
    /// The most memory it held at any time, in MiB.
    pub peak: f64,
    /// Its standard output.
    pub output: String,
}

/// The measuring role: runs the command of its arguments and prints what it cost.
pub fn measure(command: &[String]) -> Result<(), Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or("nothing to measure")?;
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !done.status.success() {
        return Err(format!("{program} ended with {}", done.status).into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let system = seconds(usage.system_time());
    let cpu = seconds(usage.user_time()) + system;
    let peak = usage.max_rss() as f64 / 1024.0;
    let cost = Cost { cpu, system, peak, output: String::from_utf8_lossy(&done.stdout).into_owned() };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// Runs a command under the measuring role.
pub fn cost_of(command: &[&str]) -> Result<Cost, Box<dyn Error>> {
    let done = Command::new(std::env::current_exe()?).arg("measure").args(command).stderr(Stdio::inherit()).output()?;
    if !done.status.success() {
        return Err(format!("{}: the run failed", command.join(" ")).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}
