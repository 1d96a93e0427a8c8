"use strict";
// The driver's panel: draws the newest message of the live WebSocket. What the fields mean: live.schema.json.

const STALE_MS = 2000;
const WINDOW_MS = 12000;
const TOP_SPEED_KMH = 360;
const LAP_ERS_J = 4e6;

const $ = (id) => document.getElementById(id);
const COMPOUNDS = { 16: ["S", "#ff3b5c"], 17: ["M", "#ffc53d"], 18: ["H", "#f2f5fa"], 7: ["I", "#39d353"], 8: ["W", "#3aa0ff"] };
const FLAGS = { 1: ["green flag", "#39d353"], 2: ["blue flag", "#3aa0ff"], 3: ["yellow flag", "#ffc53d"], 4: ["red flag", "#ff3b5c"] };
const SAFETY_CAR = { 1: "safety car", 2: "virtual safety car", 3: "formation lap" };
const ERS_MODES = ["none", "medium", "hotlap", "overtake"];
const WEATHER = ["clear", "light cloud", "overcast", "light rain", "heavy rain", "storm"];

const params = new URLSearchParams(location.search);
const token = params.get("token") || "";
const pass = token ? `?token=${encodeURIComponent(token)}` : "";
let rig = params.get("rig") || "";
let car = params.get("car") || ""; // "" the followed one, "second", or an index
let locked = false;
let socket = null;
let newest = null;
let heardAt = 0;
let drawn = null;
let received = 0;
const history = [];

// --- the feed -----------------------------------------------------------------------------------------------

function path() {
  const part = car === "" ? "" : car === "second" ? "/second" : `/car/${encodeURIComponent(car)}`;
  return rig ? `/live/rig/${encodeURIComponent(rig)}${part}` : `/live${part || "/car"}`;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${scheme}://${location.host}${path()}${pass}`);
  socket = opened;
  opened.onmessage = (event) => {
    if (opened !== socket) return;
    const message = JSON.parse(event.data);
    if (newest && (message.session !== newest.session || message.rig !== newest.rig)) history.length = 0;
    newest = message;
    heardAt = performance.now();
    received += 1;
    history.push([heardAt, message.speed_kmh, message.throttle, message.brake]);
    while (history.length && heardAt - history[0][0] > WINDOW_MS) history.shift();
  };
  opened.onclose = () => { if (opened === socket) setTimeout(connect, 500 + 1000 * Math.random()); };
}

function follow(wantedRig, wantedCar) {
  rig = wantedRig;
  car = wantedCar;
  for (const [name, value] of [["rig", rig], ["car", car]]) value ? params.set(name, value) : params.delete(name);
  window.history.replaceState(null, "", `?${params}`);
  newest = drawn = null;
  history.length = 0;
  const old = socket;
  socket = null;
  if (old) old.close();
  connect();
}

// --- text -----------------------------------------------------------------------------------------------------

const shown = new Map();
function put(id, value) {
  if (shown.get(id) === value) return;
  shown.set(id, value);
  $(id).textContent = value;
}

function clock(ms) {
  if (!ms) return "–";
  const minutes = Math.floor(ms / 60000);
  return `${minutes}:${((ms % 60000) / 1000).toFixed(3).padStart(6, "0")}`;
}
const seconds = (ms) => (ms ? (ms / 1000).toFixed(3) : "–");
const gap = (ms) => (ms ? `+${(ms / 1000).toFixed(3)}` : "–");
const fixed = (value, digits) => (value === null ? "–" : value.toFixed(digits));
const percent = (share) => `${Math.max(0, Math.min(100, 100 * share))}%`;
const whole = (value) => (value === null ? "–" : String(value));

// --- drawing ----------------------------------------------------------------------------------------------------

// The gauge is an arc of 240 degrees around (200, 190), from lower left over the top to lower right.
const ARC = { x: 200, y: 186, radius: 158, from: 150, sweep: 240 };
const on = (share, radius) => {
  const angle = ((ARC.from + ARC.sweep * share) * Math.PI) / 180;
  return [ARC.x + radius * Math.cos(angle), ARC.y + radius * Math.sin(angle)];
};
function arc(from, to) {
  const [x0, y0] = on(from, ARC.radius);
  const [x1, y1] = on(to, ARC.radius);
  return `M${x0} ${y0}A${ARC.radius} ${ARC.radius} 0 ${(to - from) * ARC.sweep > 180 ? 1 : 0} 1 ${x1} ${y1}`;
}
let scaleRpm = 0;
function scale(maxRpm) {
  const top = Math.max(8000, Math.ceil((maxRpm || 13000) / 1000) * 1000);
  if (top === scaleRpm) return;
  scaleRpm = top;
  document.querySelector(".gauge .track").setAttribute("d", arc(0, 1));
  document.querySelector(".gauge .rpm").setAttribute("d", arc(0, 1));
  document.querySelector(".gauge .red").setAttribute("d", arc(0.9 * ((maxRpm || top) / top), 1));
  const ticks = $("ticks");
  ticks.replaceChildren();
  for (let rpm = 0; rpm <= top; rpm += 2000) {
    const label = document.createElementNS("http://www.w3.org/2000/svg", "text");
    const [x, y] = on(rpm / top, ARC.radius - 27);
    label.setAttribute("x", x);
    label.setAttribute("y", y);
    label.textContent = rpm / 1000;
    ticks.append(label);
  }
}

const leds = $("leds");
for (let i = 0; i < 15; i += 1) {
  const led = document.createElement("i");
  led.style.setProperty("--led", i < 5 ? "#00e5a0" : i < 10 ? "#ff3b5c" : "#b36bff");
  leds.append(led);
}

function tyreColour(celsius) {
  if (celsius === null) return "#2a3342";
  if (celsius < 75) return "#3aa0ff";
  if (celsius < 85) return "#4fd1e8";
  if (celsius < 105) return "#00e5a0";
  if (celsius < 115) return "#ffc53d";
  return "#ff3b5c";
}

function drawState(m) {
  scale(m.max_rpm);
  const reverse = m.gear === -1 ? "R" : m.gear === 0 ? "N" : whole(m.gear);
  put("gear", reverse);
  put("speed", whole(m.speed_kmh));
  put("rpm", m.engine_rpm === null ? "–" : m.engine_rpm.toLocaleString("en"));
  const share = (m.engine_rpm || 0) / scaleRpm;
  const needle = document.querySelector(".gauge .rpm");
  needle.style.strokeDasharray = `${Math.min(100, 100 * share)} 200`;
  const lights = m.rev_lights_pct || 0;
  needle.classList.toggle("high", lights >= 40 && lights < 80);
  needle.classList.toggle("limit", lights >= 80);
  [...leds.children].forEach((led, i) => led.classList.toggle("on", lights >= (100 * (i + 1)) / 15 - 1));
  leds.classList.toggle("flash", lights >= 99);

  // Cars of 2026 have active aero where earlier ones have DRS.
  const aero = m.active_aero_mode !== null;
  const open = aero ? m.active_aero_mode === 1 : m.drs === 1;
  const allowed = aero ? m.active_aero_available === 1 : m.drs_allowed === 1;
  put("drs", aero ? "STRAIGHT MODE" : "DRS");
  $("drs").classList.toggle("on", open);
  $("drs").classList.toggle("ready", !open && allowed);
  const overtake = $("overtake");
  overtake.classList.toggle("on", m.overtake_active === 1 || m.ers_deploy_mode === 3);
  overtake.classList.toggle("ready", m.overtake_active !== 1 && m.ers_deploy_mode !== 3 && m.overtake_available === 1);
  put("overtake", m.packet_format >= 2026 && m.ers_deploy_mode === 3 ? "BOOST" : "OVERTAKE");
  $("limiter").classList.toggle("on", m.pit_limiter === 1);

  put("position", m.position ? String(m.position) : "–");
  put("lap", whole(m.lap_number));
  put("laps", m.total_laps > 1 ? ` / ${m.total_laps}` : "");
  put("current", m.current_lap_time_ms === null ? "–" : clock(m.current_lap_time_ms || 0.001));
  $("current").classList.toggle("bad", m.lap_invalid === 1);
  $("invalid").hidden = m.lap_invalid !== 1;
  $("progress").style.width = percent((m.lap_distance_m || 0) / (m.track_length_m || Infinity));
  put("last", clock(m.last_lap_time_ms));
  put("s1", seconds(m.sector1_ms));
  put("s2", seconds(m.sector2_ms));
  put("ahead", m.position === 1 ? "–" : gap(m.gap_ahead_ms));
  put("leader", m.position === 1 ? "leading" : gap(m.gap_leader_ms));
  put("penalties", m.penalties_s ? `${m.penalties_s} s` : m.warnings ? `${m.warnings} warning${m.warnings > 1 ? "s" : ""}` : "none");

  put("ers", fixed(m.ers_store_pct, 0));
  put("store", m.ers_store_j === null ? "" : `${(m.ers_store_j / 1e6).toFixed(2)} MJ`);
  $("ers-bar").style.width = percent((m.ers_store_pct || 0) / 100);
  $("ers-bar").parentElement.classList.toggle("low", m.ers_store_pct !== null && m.ers_store_pct < 15);
  const mode = m.packet_format >= 2026 && m.ers_deploy_mode === 3 ? "boost" : ERS_MODES[m.ers_deploy_mode];
  put("ers-mode", mode || "–");
  $("ers-mode").dataset.mode = whole(m.ers_deploy_mode);
  put("deployed", m.ers_deployed_j === null ? "–" : (m.ers_deployed_j / 1e6).toFixed(2));
  put("harvested", m.ers_harvested_j === null ? "–" : (m.ers_harvested_j / 1e6).toFixed(2));
  const lapLimit = m.ers_harvest_limit_j || LAP_ERS_J;
  $("deployed-bar").style.width = percent((m.ers_deployed_j || 0) / lapLimit);
  $("harvested-bar").style.width = percent((m.ers_harvested_j || 0) / lapLimit);
  put("fuel", fixed(m.fuel_in_tank_kg, 1));
  $("fuel-bar").style.width = percent((m.fuel_in_tank_kg || 0) / (m.fuel_capacity_kg || 110));
  const race = m.total_laps > 1;
  const laps = m.fuel_remaining_laps;
  put("fuel-laps", laps === null ? "" : `${race && laps >= 0 ? "+" : ""}${laps.toFixed(1)} laps${race ? " at the flag" : ""}`);

  $("throttle-bar").style.height = percent(m.throttle || 0);
  $("brake-bar").style.height = percent(m.brake || 0);
  const steer = m.steer || 0;
  $("steer").style.left = percent(steer < 0 ? 0.5 + steer / 2 : 0.5);
  $("steer").style.width = percent(Math.abs(steer) / 2);

  const [letter, colour] = COMPOUNDS[m.visual_tyre_compound] || ["–", "#7d8898"];
  put("compound", letter);
  $("compound").style.setProperty("--c", colour);
  put("tyre-age", m.tyre_age_laps === null ? "" : `${m.tyre_age_laps} laps`);
  for (const corner of ["fl", "fr", "rl", "rr"]) {
    const box = $(corner);
    const inner = m[`tyre_inner_${corner}_c`];
    const wear = m[`tyre_wear_${corner}_pct`];
    box.style.setProperty("--t", tyreColour(inner));
    box.children[0].textContent = `${whole(inner)}°`;
    box.children[1].textContent = `surface ${whole(m[`tyre_surface_${corner}_c`])}°  wear ${fixed(wear, 0)}%`;
    box.children[2].style.width = percent((wear || 0) / 100);
  }

  const [flag, paint] = SAFETY_CAR[m.safety_car_status] ? [SAFETY_CAR[m.safety_car_status], "#ffc53d"] : FLAGS[m.flag] || [];
  $("flag").hidden = !flag;
  if (flag) {
    put("flag", flag);
    $("flag").style.background = paint;
  }
  put("rig-name", car ? `${m.rig} · car ${m.car_index}` : m.rig);
  const weather = WEATHER[m.weather_id];
  put("weather", weather ? `${weather} · track ${m.track_temperature_c}° · air ${m.air_temperature_c}°` : "");
}

function drawTraces(now) {
  const canvas = $("plot");
  const density = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * density);
  const height = Math.round(canvas.clientHeight * density);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  pen.lineWidth = density;
  pen.strokeStyle = "#1d2430";
  pen.fillStyle = "#4b5666";
  pen.font = `${10 * density}px system-ui, sans-serif`;
  for (let kmh = 0; kmh <= 300; kmh += 100) {
    const y = height - 2 * density - (kmh / TOP_SPEED_KMH) * (height - 4 * density);
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(width, y);
    pen.stroke();
    if (kmh) pen.fillText(String(kmh), 2 * density, y - 3 * density);
  }
  if (history.length < 2) return;
  const x = (at) => width - ((now - at) / WINDOW_MS) * width;
  const y = (share) => height - 2 * density - Math.max(0, Math.min(1, share)) * (height - 4 * density);
  const line = (index, divisor, stroke, fill, weight) => {
    pen.beginPath();
    history.forEach((sample, i) => (i ? pen.lineTo : pen.moveTo).call(pen, x(sample[0]), y((sample[index] || 0) / divisor)));
    pen.lineWidth = weight * density;
    pen.lineJoin = "round";
    pen.strokeStyle = stroke;
    pen.stroke();
    if (!fill) return;
    pen.lineTo(x(history[history.length - 1][0]), height);
    pen.lineTo(x(history[0][0]), height);
    pen.fillStyle = fill;
    pen.fill();
  };
  line(2, 1, "#00e5a0", "rgb(0 229 160 / .12)", 1.5);
  line(3, 1, "#ff3b5c", "rgb(255 59 92 / .22)", 1.5);
  line(1, TOP_SPEED_KMH, "#eef2f8", null, 2);
}

function drawSignal(now) {
  const open = socket && socket.readyState === WebSocket.OPEN;
  const silent = now - heardAt;
  const state = !open ? "lost" : !newest ? "waiting" : silent > STALE_MS ? "stale" : "live";
  const words = { lost: "no connection", waiting: "waiting", stale: `no data ${Math.floor(silent / 1000)} s`, live: "live" };
  $("signal").dataset.state = state;
  put("signal-text", words[state]);
  $("stale").hidden = state === "live";
  if (state === "live") return;
  $("stale").dataset.kind = state;
  if (locked) {
    put("stale-title", "This gateway wants its token");
    put("stale-text", "Open this page as /?token=… with the value of PITLANE_LIVE_TOKEN.");
  } else if (state === "waiting" && car) {
    put("stale-title", car === "second" ? "Waiting for a second player" : `Waiting for car ${car}`);
    put("stale-text", "There are no frames of this car. Choose another one above, or go back to the followed car.");
  } else if (state === "waiting") {
    put("stale-title", "Waiting for the first frame");
    put("stale-text", "In the game: Settings, Telemetry, UDP Telemetry on, this machine's address, port 20777. Then drive.");
  } else if (state === "stale") {
    put("stale-title", `No data for ${Math.floor(silent / 1000)} s`);
    put("stale-text", "The game is paused or in a menu, or its packets no longer get here. What you see is old.");
  } else {
    put("stale-title", "The gateway does not answer");
    put("stale-text", "Trying again; the panel goes on by itself when it is back.");
  }
}

function draw() {
  const now = performance.now();
  if (newest && newest !== drawn) {
    drawState(newest);
    drawn = newest;
  }
  drawTraces(now);
  drawSignal(now);
  requestAnimationFrame(draw);
}

// --- the gateway's own state ------------------------------------------------------------------------------------

function choices(id, chosen, values, label) {
  const select = $(id);
  if (values.join("\n") !== [...select.options].map((option) => option.value).join("\n")) {
    select.replaceChildren(...values.map((value) => new Option(label(value), value, false, value === chosen)));
  }
  select.hidden = false;
}

async function askStatus() {
  try {
    const answer = await fetch(`/status${pass}`);
    locked = answer.status === 401;
    const status = await answer.json();
    const names = Object.keys(status.rigs);
    if (names.length > 1 || rig) choices("rig", rig, ["", ...new Set([...names, ...(rig ? [rig] : [])])], (name) => name || "current rig");
    if (newest || car) {
      const cars = Array.from({ length: newest && newest.packet_format < 2026 ? 22 : 24 }, (_, index) => String(index));
      const names = { "": "followed car", second: "second player" };
      choices("car", car, ["", "second", ...cars], (value) => names[value] || `car ${value}`);
    }
    const shownRig = status.rigs[newest ? newest.rig : rig];
    put("datagrams", shownRig ? shownRig.rate_hz.toFixed(0) : "–");
    put("gaps", shownRig ? String(shownRig.frame_gaps) : "–");
    put("drops", whole(status.kernel.drops));
    for (const name of ["nifi", "postgres"]) {
      put(name, status[name].state);
      $(name).className = status[name].state;
    }
  } catch {
    put("nifi", "–");
    put("postgres", "–");
  }
}

setInterval(() => { put("rate", String(received)); received = 0; }, 1000);
setInterval(askStatus, 2000);
$("rig").addEventListener("change", (event) => follow(event.target.value, car));
$("car").addEventListener("change", (event) => follow(rig, event.target.value));
scale(13000);
connect();
askStatus();
requestAnimationFrame(draw);
