// The JavaScript peer of benchmarks/decoding.py: datagrams to columns with @racehub-io/f1-telemetry-client.
//
// `node decode.js MODULE FOLDER` reads a line `PACKET SIZE PER_BLOCK ROUNDS` at a time: decodes the datagrams of
// FOLDER/PACKET.bin, SIZE bytes each, into fresh columns for every PER_BLOCK of them, ROUNDS times, and answers
// `SECONDS NAME=SUM …`: seconds a round, and sums over all blocks to compare.
'use strict';
const fs = require('fs');
const readline = require('readline');

const [, , modulePath, folder] = process.argv;
const { F1TelemetryClient } = require(modulePath);

const CARS = {
  car_telemetry: 'm_carTelemetryData',
  lap_data: 'm_lapData',
  car_status: 'm_carStatusData',
  motion: 'm_carMotionData',
};
// What is summed to compare: our name, the peer's.
const SUMS = {
  car_telemetry: {
    speed_kmh: 'm_speed', throttle: 'm_throttle', engine_rpm: 'm_engineRPM', brakes_temperature_c: 'm_brakesTemperature',
    tyres_pressure_psi: 'm_tyresPressure',
  },
  lap_data: {
    current_lap_time_ms: 'm_currentLapTimeInMS', sector1_ms_part: 'm_sector1TimeInMS', lap_distance_m: 'm_lapDistance',
    car_position: 'm_carPosition', pit_lane_time_in_lane_ms: 'm_pitLaneTimeInLaneInMS',
  },
  car_status: {
    fuel_in_tank_kg: 'm_fuelInTank', max_rpm: 'm_maxRPM', tyres_age_laps: 'm_tyresAgeLaps',
    ers_store_j: 'm_ersStoreEnergy', ers_deployed_j: 'm_ersDeployedThisLap',
  },
  motion: {
    world_position_x_m: 'm_worldPositionX', world_forward_x: 'm_worldForwardDirX', g_force_lateral: 'm_gForceLateral',
    roll_rad: 'm_roll',
  },
};

function push(columns, item) {
  for (const name in item) {
    (columns[name] ??= []).push(item[name]);
  }
}

function decode(datagrams, cars) {
  const columns = { header: {}, cars: {} };
  for (const datagram of datagrams) {
    // true: with the session UID, which is the client's own default.
    const packet = F1TelemetryClient.parseBufferMessage(datagram, true).packetData.data;
    push(columns.header, packet.m_header);
    for (const car of packet[cars]) {
      push(columns.cars, car);
    }
  }
  return columns;
}

function total(values) {
  let sum = 0;
  for (const value of values) {
    sum += Array.isArray(value) ? total(value) : value;
  }
  return sum;
}

readline.createInterface({ input: process.stdin }).on('line', line => {
  const [packet, ...numbers] = line.split(' ');
  const [size, perBlock, rounds] = numbers.map(Number);
  const content = fs.readFileSync(`${folder}/${packet}.bin`);
  const blocks = [];
  for (let at = 0; at < content.length; at += size * perBlock) {
    const block = [];
    for (let from = at; from < Math.min(at + size * perBlock, content.length); from += size) {
      block.push(content.subarray(from, from + size));
    }
    blocks.push(block);
  }
  let nanoseconds = 0n;
  let sums = {};
  for (let round = 0; round < rounds; round++) {
    sums = {};
    for (const block of blocks) {
      const begun = process.hrtime.bigint();
      const columns = decode(block, CARS[packet]);
      nanoseconds += process.hrtime.bigint() - begun;
      for (const [ours, theirs] of Object.entries(SUMS[packet])) {
        sums[ours] = (sums[ours] ?? 0) + total(columns.cars[theirs]);
      }
      sums.overall_frame_identifier =
        (sums.overall_frame_identifier ?? 0) + total(columns.header.m_overallFrameIdentifier);
    }
  }
  const said = Object.entries(sums).map(([name, sum]) => `${name}=${sum}`);
  console.log(`${Number(nanoseconds) / 1e9 / rounds} ${said.join(' ')}`);
});
