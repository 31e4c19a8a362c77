//! Health checks: what `/health` asks before it says that all is well.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tapes_core::text::json::TreeWriter;

use super::respond::Status;

/// A check: `Err` says what is wrong, for people.
type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The checks of a server, by name.
#[derive(Clone, Default)]
pub(super) struct HealthChecks(Vec<(String, Check)>);

impl HealthChecks {
    /// Adds a check; of two with one name the later one stays.
    pub(super) fn add(
        &mut self,
        name: &str,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), Arc::new(check)));
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    /// Runs all checks. Returns a status for machines and a JSON object for people.
    ///
    /// A check that panics has failed.
    pub(super) fn run(&self) -> Result<(Status, String), fmt::Error> {
        if self.0.is_empty() {
            return Ok((Status::NotImplemented, "{}".to_owned()));
        }
        let mut status = Status::Ok;
        let mut body = String::new();
        let mut tree = TreeWriter::new(&mut body)?;
        for (name, check) in &self.0 {
            let result = catch_unwind(AssertUnwindSafe(|| check()));
            let result = result.unwrap_or_else(|_| Err("the check panicked".to_owned()));
            tree.open(name)?;
            match result {
                Ok(()) => tree.str("status", "healthy")?,
                Err(message) => {
                    status = Status::Failed;
                    tree.str("status", "unhealthy")?;
                    tree.str("message", &message)?;
                }
            }
            tree.close()?;
        }
        tree.finish()?;
        Ok((status, body))
    }
}

impl fmt::Debug for HealthChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{HealthChecks, Status};

    /// Whoever restarts what is unhealthy needs to be told the truth.
    #[test]
    fn one_failure_is_enough() {
        let mut checks = HealthChecks::default();
        assert_eq!(checks.run().unwrap(), (Status::NotImplemented, "{}".to_owned()));
        checks.add("disk", || Ok(()));
        let healthy = r#"{"disk":{"status":"healthy"}}"#;
        assert_eq!(checks.run().unwrap(), (Status::Ok, healthy.to_owned()));
        checks.add("bus", || Err("no \"answer\"".to_owned()));
        let (status, body) = checks.run().unwrap();
        let bus = r#"{"bus":{"status":"unhealthy","message":"no \"answer\""},"#;
        assert_eq!((status, body.starts_with(bus)), (Status::Failed, true), "{body}");
        checks.add("bus", || panic!("on purpose"));
        assert_eq!(checks.run().unwrap().0, Status::Failed);
    }
}
