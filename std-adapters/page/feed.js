// The stream of documents, opened again whenever it breaks.

/** Milliseconds between attempts. */
const PAUSE = 1500;

/** Silence after which a stream counts as broken: several times its interval. */
const PATIENCE = 6000;

// Integers that a double would round are kept as text.
const LARGE = /[:[,]-?\d{16}/;

function parse(text) {
  if (!LARGE.test(text)) {
    return JSON.parse(text);
  }
  return JSON.parse(text, (key, value, context) => {
    const isRounded = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
    return isRounded && context?.source && /^-?\d+$/.test(context.source) ? context.source : value;
  });
}

/** Calls `onDocument` for every document and `onState` with "connecting", "live" or "lost". */
export function watch(onDocument, onState) {
  let source = null;
  let version = null;
  let alarm = null;

  const wait = (time, next) => {
    clearTimeout(alarm);
    alarm = setTimeout(next, time);
  };
  const broken = () => {
    source?.close();
    onState("lost");
    wait(PAUSE, open);
  };
  const open = () => {
    version = null;
    source = new EventSource("live/events");
    source.onerror = broken;
    source.onmessage = (event) => {
      const document = parse(event.data);
      if (document.since !== null && document.since !== version) {
        broken();
        return;
      }
      version = document.version;
      onDocument(document);
      onState("live");
      wait(PATIENCE, broken);
    };
  };
  onState("connecting");
  open();
  // A page that was asleep has missed everything.
  addEventListener("pageshow", (event) => event.persisted && broken());
}
