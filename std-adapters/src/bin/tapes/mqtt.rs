//! Brokers that the gateway takes frames from, and publishes them to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tapes_std::fleet::{NodeId, SharedFleet};
use tapes_std::mqtt::{Broker, Publisher, PublisherHandle, Subscriber};
use tokio::task::JoinHandle;

use crate::terminal::shown;

/// How long the end waits for the broker to acknowledge what was published.
const LINGER: Duration = Duration::from_secs(2);

/// Options of MQTT.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "MQTT")]
pub(crate) struct MqttArguments {
    /// Take frames from this broker: `mqtt://HOST[:PORT][/PREFIX]`; may be repeated.
    #[arg(long, value_name = "URL", value_parser = Broker::parse)]
    mqtt: Vec<Broker>,
    /// Publish the frames of serial ports, TCP, files and standard input to this broker.
    #[arg(long, value_name = "URL", value_parser = Broker::parse)]
    mqtt_publish: Option<Broker>,
    /// Show brokers the name and the password in this file, `name:password`, which only you should
    /// read. MQTT is not encrypted.
    #[arg(long, value_name = "PATH")]
    mqtt_user_file: Option<PathBuf>,
    /// Name at the brokers, which nobody else may have; unless given, one that is random, and with
    /// --state stays.
    #[arg(long, value_name = "NAME")]
    mqtt_client: Option<String>,
}

/// What runs.
#[derive(Debug, Default)]
pub(crate) struct Mqtt {
    publisher: Option<(PublisherHandle, JoinHandle<()>)>,
}

impl MqttArguments {
    /// Returns whether there is nothing to take in.
    pub(crate) const fn is_empty(&self) -> bool {
        self.mqtt.is_empty()
    }

    /// Connects to the brokers. Call it within a runtime.
    pub(crate) fn start(&self, fleet: &SharedFleet) -> Result<Mqtt, String> {
        let credentials = self.mqtt_user_file.as_deref().map(read_user).transpose()?;
        let with_user = |broker: &Broker| match &credentials {
            Some((name, password)) => broker.clone().with_credentials(name, password),
            None => broker.clone(),
        };
        let node = fleet.lock().node();
        let client = self.mqtt_client.clone().unwrap_or_else(|| client_of(node));
        let mut mqtt = Mqtt::default();
        if let Some(broker) = &self.mqtt_publish {
            let (publisher, handle) = Publisher::new(with_user(broker), &client)
                .map_err(|error| format!("--mqtt-client: {error}"))?;
            let counts = handle.clone();
            fleet.show_output("mqtt", move || counts.stats());
            tracing::info!("publishing to {broker}");
            let running = tokio::spawn(publisher.of_fleet(fleet).run());
            mqtt.publisher = Some((handle, running));
        }
        for broker in &self.mqtt {
            let subscriber = Subscriber::new(with_user(broker), &client)
                .map_err(|error| format!("--mqtt-client: {error}"))?;
            let name = broker.to_string();
            let on_change = move |change: Result<(), &str>| match change {
                Ok(()) => tracing::info!("{name}: subscribed"),
                Err(why) => tracing::warn!("{name}: {}; trying again", shown(why)),
            };
            tokio::spawn(subscriber.run(fleet.clone(), on_change, std::future::pending()));
        }
        Ok(mqtt)
    }
}

impl Mqtt {
    /// Waits until what was published is the broker's, but not for long.
    pub(crate) async fn close(self) {
        let Some((publisher, running)) = self.publisher else { return };
        publisher.close(LINGER);
        // A panic of the task was reported by the task.
        let _ = running.await;
        let left = publisher.stats().queued;
        if left > 0 {
            tracing::warn!("mqtt: {left} messages were not acknowledged");
        }
    }
}

/// Returns a client's name that is this receiver's own.
fn client_of(node: NodeId) -> String {
    let digits: String = node.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("gateway-{digits}")
}

/// Reads `name:password`.
fn read_user(path: &Path) -> Result<(String, String), String> {
    let file = shown(&path.display().to_string());
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("cannot read {file}: {error}"))?;
    let user = text.trim_end_matches(['\n', '\r']).split_once(':');
    let (name, password) = user.ok_or_else(|| format!("{file} must hold name:password"))?;
    Ok((name.to_owned(), password.to_owned()))
}
