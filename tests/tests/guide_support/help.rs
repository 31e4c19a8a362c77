//! The examples in the help texts of `tapes`, and what they need to run.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::found::{Found, Kind, unexplained};
use super::place::Place;
use crate::gateway_support::{run, tapes};

/// What people have who type an example: recordings, certificates, keys, folders.
const THERE: &str = "\
    set -e
    tapes simulate --seconds 2 --seed 1 > capture.bin
    tapes simulate --seconds 2 --seed 2 > monday.bin
    tapes simulate --seconds 2 --seed 3 > tuesday.bin
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=gateway -keyout gateway.key -out gateway.pem
    cp gateway.pem devices.pem
    tapes keygen own.key > public
    echo \"$(cat public) *\" > allowed
    mkdir -p ~/.zfunc ~/.local/share/bash-completion/completions ~/.config/fish/completions";

/// Looks at what a gateway shows that is there already.
const LOOKING: [&str; 3] = ["tapes top", "tapes top http:", "tapes top --once http:"];

fn help(words: &[&str]) -> String {
    let output = run(&[words, &["--help"]].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the examples of one help text.
fn examples(name: &str, text: &str) -> Vec<Found> {
    let section = text.split_once("\nExamples:\n").expect(name).1;
    let section = section.split("\n\n").next().unwrap().replace("\\\n      ", "");
    let lines = section.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let command = |line: &str| unexplained(line.trim()).trim_end_matches(" ...").to_owned();
    let found = |(block, line)| {
        let (file, kind, said) = (format!("{name} --help"), Kind::Console, Vec::new());
        Found { file, block, kind, text: command(line), said }
    };
    lines.enumerate().map(found).collect()
}

/// Returns the examples of all help texts.
pub(crate) fn everything() -> Vec<Found> {
    let first = help(&[]);
    let names = first.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names =
        names.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let mut found = examples("tapes", &first);
    for name in names.filter(|name| *name != "help") {
        found.extend(examples(&format!("tapes {name}"), &help(&[name])));
    }
    found
}

impl Place {
    /// Makes a place where there is what examples need.
    pub(crate) fn with_all_that_examples_need() -> Self {
        let mut place = Self::new();
        let output = place.bash(THERE).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let key = place.bash("cat public").output().unwrap().stdout;
        let key = String::from_utf8(key).unwrap();
        place.put("curve-server-key KEY", &format!("curve-server-key '{}'", key.trim()));
        place
    }

    /// Runs an example, beside what it looks at.
    pub(crate) fn run_example(&mut self, example: &Found) {
        let mut example = example.clone();
        if LOOKING[0] == example.text
            || LOOKING[1..].iter().any(|start| example.text.starts_with(start))
        {
            let text = "tapes gateway --serial /dev/ttyACM0".to_owned();
            self.run(&Found { text, ..example.clone() });
            if example.text == LOOKING[0] {
                example.text.push_str(" http://127.0.0.1:9100");
            }
        } else if example.text.ends_with("tcp://127.0.0.1:7070") {
            self.put("tcp://127.0.0.1:7070", &listening_board());
        } else if example.text.contains("\"error\"") {
            // Something that cannot be read, which is also what the exit code says.
            example.text =
                format!("printf 'noise\\0' >> capture.bin; set +o pipefail; {}", example.text);
        }
        self.run(&example);
    }
}

/// Returns the address where somebody is told what a board sends, once.
fn listening_board() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut board = Command::new(tapes());
        board.args(["simulate", "--realtime", "--seed", "4"]).stdin(Stdio::null());
        // It ends when nobody listens any more.
        board.stdout(std::os::fd::OwnedFd::from(stream)).status().unwrap();
    });
    format!("tcp://{address}")
}
