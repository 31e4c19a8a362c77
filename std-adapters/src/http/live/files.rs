//! The files of the page, as they lie in the folder `page` of this package.

/// A file: its path on the server, its type, its text.
type File = (&'static str, &'static str, &'static str);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const FILES: [File; 11] = [
    ("/", HTML, include_str!("../../../page/index.html")),
    ("/live/page.css", CSS, include_str!("../../../page/page.css")),
    ("/live/icon.svg", SVG, include_str!("../../../page/icon.svg")),
    ("/live/page.js", SCRIPT, include_str!("../../../page/page.js")),
    ("/live/charts.js", SCRIPT, include_str!("../../../page/charts.js")),
    ("/live/detail.js", SCRIPT, include_str!("../../../page/detail.js")),
    ("/live/feed.js", SCRIPT, include_str!("../../../page/feed.js")),
    ("/live/format.js", SCRIPT, include_str!("../../../page/format.js")),
    ("/live/model.js", SCRIPT, include_str!("../../../page/model.js")),
    ("/live/sources.js", SCRIPT, include_str!("../../../page/sources.js")),
    ("/live/tree.js", SCRIPT, include_str!("../../../page/tree.js")),
];

/// Returns type and text of the file at a path.
pub(in crate::http) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    FILES.iter().find(|(at, ..)| *at == path).map(|(_, kind, text)| (*kind, *text))
}

#[cfg(test)]
mod tests {
    use super::FILES;

    /// A page that loads something from elsewhere does not work on a bench without a network, and
    /// a script in the text would be refused by the page's own policy.
    #[test]
    fn nothing_comes_from_elsewhere() {
        for (path, kind, text) in FILES {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for word in ["http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML"] {
                assert!(!text.contains(word), "{path} has {word}");
            }
            if kind == super::HTML {
                assert!(!text.contains("style=") && !text.contains(" on"), "{path}");
                assert_eq!(text.matches("<script").count(), 1, "{path}");
            }
        }
    }
}
