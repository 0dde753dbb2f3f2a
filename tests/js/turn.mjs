// Google's JavaScript SDK against the simulator: turns, resumption, barge-in, refusals.
//
// Takes nothing but the environment variables that the simulator names. Prints a line for every check
// and a closing one with the counts; exits with 1 if a check failed. run.py ends it if it hangs.

import { GoogleGenAI, Modality } from "@google/genai";

const MODEL = "gemini-3.8-live";
const RATE_HZ = 16_000;
const REPLY_RATE_HZ = 24_000;
const CHUNK_BYTES = 1280; // 40 ms
const TIMEOUT_MS = 10_000;

const PUSH_TO_TALK = {
  responseModalities: [Modality.AUDIO],
  realtimeInputConfig: { automaticActivityDetection: { disabled: true } },
  inputAudioTranscription: {},
  outputAudioTranscription: {},
  sessionResumption: {},
};

let passed = 0;
let failed = 0;

function check(what, holds, detail = "") {
  if (holds) passed += 1;
  else failed += 1;
  console.log(`${holds ? "ok    " : "FAILED"}  ${what}${!holds && detail ? `: ${detail}` : ""}`);
}

/** A connection whose messages and close can be waited for. */
class Talk {
  #arrivals = []; // { message } or { closed }
  #waiting = [];
  #end;
  ended = new Promise((resolve) => (this.#end = resolve)); // { code, reason } of the close

  static async open(config = PUSH_TO_TALK, { model = MODEL, apiKey } = {}) {
    const talk = new Talk();
    const client = new GoogleGenAI(apiKey ? { apiKey } : {});
    const connecting = client.live.connect({
      model,
      config,
      callbacks: {
        onmessage: (message) => talk.#arrived({ message }),
        onclose: ({ code, reason }) => {
          talk.#arrived({ closed: `${code} ${reason}` });
          talk.#end({ code, reason });
        },
      },
    });
    // The SDK waits for setupComplete without end, also when it has been hung up on.
    talk.session = await Promise.race([connecting, talk.ended.then(() => null)]);
    return talk;
  }

  #arrived(what) {
    this.#arrivals.push(what);
    this.#waiting.splice(0).forEach((wake) => wake());
  }

  /** The messages up to the first that `last` accepts. */
  async until(last) {
    const deadline = Date.now() + TIMEOUT_MS;
    for (;;) {
      const end = this.#arrivals.findIndex(({ message, closed }) => closed || last(message));
      if (end >= 0) {
        const arrived = this.#arrivals.splice(0, end + 1);
        if (arrived[end].closed) throw new Error(`closed: ${arrived[end].closed}`);
        return arrived.map(({ message }) => message);
      }
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`not within ${TIMEOUT_MS} ms`);
      let timer;
      await new Promise((wake) => {
        this.#waiting.push(wake);
        timer = setTimeout(wake, left);
      });
      clearTimeout(timer);
    }
  }

  turn() {
    return this.until((message) => message.serverContent?.turnComplete);
  }

  async handle() {
    const messages = await this.until((message) => message.sessionResumptionUpdate?.resumable);
    return messages[messages.length - 1].sessionResumptionUpdate.newHandle;
  }

  say(pcm) {
    this.session.sendRealtimeInput({ activityStart: {} });
    for (let at = 0; at < pcm.length; at += CHUNK_BYTES) {
      const data = pcm.subarray(at, at + CHUNK_BYTES).toString("base64");
      this.session.sendRealtimeInput({ audio: { data, mimeType: `audio/pcm;rate=${RATE_HZ}` } });
    }
    this.session.sendRealtimeInput({ activityEnd: {} });
  }

  async close() {
    this.session.close();
    await this.ended;
  }
}

/** Noise, the same every time: S16_LE mono at 16 kHz. */
function utterance(seconds) {
  const pcm = Buffer.alloc(seconds * RATE_HZ * 2);
  let state = 1;
  for (let at = 0; at < pcm.length; at += 2) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    pcm.writeInt16LE(((state >>> 16) & 0xffff) - 0x8000, at);
  }
  return pcm;
}

/** What the parrot says: linear interpolation, rounded down (docs/simulator.md). */
function parroted(pcm) {
  const count = pcm.length / 2;
  const out = Buffer.alloc(Math.floor((count * REPLY_RATE_HZ) / RATE_HZ) * 2);
  for (let n = 0; n < out.length / 2; n += 1) {
    const index = Math.floor((n * RATE_HZ) / REPLY_RATE_HZ);
    const rest = (n * RATE_HZ) % REPLY_RATE_HZ;
    const before = pcm.readInt16LE(2 * index);
    const after = pcm.readInt16LE(2 * Math.min(index + 1, count - 1));
    out.writeInt16LE(Math.floor((before * (REPLY_RATE_HZ - rest) + after * rest) / REPLY_RATE_HZ), 2 * n);
  }
  return out;
}

function audioOf(messages) {
  const parts = messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []);
  return Buffer.concat(parts.map((part) => Buffer.from(part.inlineData.data, "base64")));
}

function textOf(messages, side) {
  return messages.map((message) => message.serverContent?.[side]?.text ?? "").join("").trim();
}

const SPEECH = utterance(1);
const REPLY = parroted(SPEECH);

async function aTurnAndItsResumption() {
  const first = await Talk.open();
  first.say(SPEECH);
  const messages = await first.turn();
  const reply = audioOf(messages);
  check("the answer is the utterance, every sample of it", reply.equals(REPLY), `${reply.length} bytes instead of ${REPLY.length}`);
  check("the answer is audio/pcm;rate=24000", messages.every((message) => (message.serverContent?.modelTurn?.parts ?? []).every((part) => part.inlineData.mimeType === "audio/pcm;rate=24000")));
  check("it says what it heard", textOf(messages, "inputTranscription") === "1.0 seconds of speech.", textOf(messages, "inputTranscription"));
  check("it says what it speaks", textOf(messages, "outputTranscription") === "You said 1.0 seconds of speech.", textOf(messages, "outputTranscription"));
  const generated = messages.findIndex((message) => message.serverContent?.generationComplete);
  check("generationComplete comes before turnComplete", generated >= 0 && generated < messages.length - 1);
  check("turnComplete tells the usage", messages[messages.length - 1].usageMetadata?.totalTokenCount === 50);
  const handle = await first.handle();
  await first.close();

  const second = await Talk.open({ ...PUSH_TO_TALK, sessionResumption: { handle } });
  second.say(SPEECH);
  const again = await second.turn();
  check("a resumed session answers in full", audioOf(again).equals(REPLY));
  const tokens = again[again.length - 1].usageMetadata?.promptTokenCount;
  check("and remembers the turn before", tokens === 75, `${tokens} tokens`);
  await second.close();
}

async function aBargeIn() {
  const talk = await Talk.open();
  talk.say(utterance(5));
  await talk.until((message) => message.serverContent?.modelTurn);
  talk.say(SPEECH);
  const cut = await talk.turn();
  check("a new activity interrupts the answer", cut.some((message) => message.serverContent?.interrupted));
  check("and is answered itself", audioOf(await talk.turn()).equals(REPLY));
  await talk.close();
}

async function text() {
  const talk = await Talk.open();
  talk.session.sendRealtimeInput({ text: "hello" });
  check("a text is answered", audioOf(await talk.turn()).length > 0);
  talk.session.sendClientContent({ turns: [{ role: "user", parts: [{ text: "hello" }] }], turnComplete: true });
  check("client content is answered", audioOf(await talk.turn()).length > 0);
  await talk.close();
}

async function refused(what, code, reason, open, use = () => {}) {
  const talk = await open();
  if (talk.session) use(talk.session);
  const closed = await talk.ended;
  check(`refused: ${what}`, closed.code === code && closed.reason.includes(reason), JSON.stringify(closed));
}

async function refusals() {
  const automatic = { ...PUSH_TO_TALK, realtimeInputConfig: {} };
  const chunk = { data: "AAA=", mimeType: "audio/ogg" };
  await refused("a bad key", 1007, "API key not valid. Please pass a valid API key.", () => Talk.open(PUSH_TO_TALK, { apiKey: "nonsense" }));
  await refused("an unknown model", 1008, "models/gemini-0 is not found for API version v1beta", () => Talk.open(PUSH_TO_TALK, { model: "gemini-0" }));
  await refused("text as modality", 1007, "The requested combination of response modalities (TEXT)", () => Talk.open({ ...PUSH_TO_TALK, responseModalities: [Modality.TEXT] }));
  await refused("a bad handle", 1007, "Invalid session handle", () => Talk.open({ ...PUSH_TO_TALK, sessionResumption: { handle: "x" } }));
  await refused("explicit activity with automatic detection", 1007, "Explicit activity control is not supported", () => Talk.open(automatic), (session) => session.sendRealtimeInput({ activityStart: {} }));
  await refused("activityEnd without a start", 1008, "Operation is not implemented", () => Talk.open(), (session) => session.sendRealtimeInput({ activityEnd: {} }));
  await refused("text within an activity", 1007, "Precondition check failed.", () => Talk.open(), (session) => {
    session.sendRealtimeInput({ activityStart: {} });
    session.sendRealtimeInput({ text: "hello" });
  });
  await refused("audio that is not PCM", 1007, "Request contains an invalid argument.", () => Talk.open(), (session) => session.sendRealtimeInput({ audio: chunk }));
}

console.log(`Node.js ${process.version}, ${process.env.GOOGLE_GEMINI_BASE_URL}`);
for (const part of [aTurnAndItsResumption, aBargeIn, text, refusals]) {
  try {
    await part();
  } catch (error) {
    check(part.name, false, error.stack);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
