//! The Rust peer of `benchmarks/decoding.py`: datagrams to columns with the crate f1-game-packet-parser.
//!
//! `decode FOLDER` reads a line `PACKET SIZE PER_BLOCK ROUNDS` at a time: decodes the datagrams of FOLDER/PACKET.bin,
//! SIZE bytes each, into fresh columns for every PER_BLOCK of them, ROUNDS times, and answers `SECONDS NAME=SUM …`:
//! seconds a round, and sums over all blocks to compare.

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Instant;

use f1_game_packet_parser::constants::*;
use f1_game_packet_parser::packets::car_status::CarStatusData;
use f1_game_packet_parser::packets::car_telemetry::CarTelemetryData;
use f1_game_packet_parser::packets::laps::LapData;
use f1_game_packet_parser::packets::motion::CarMotionData;
use f1_game_packet_parser::{parse, F1Packet, F1PacketHeader};

const CARS: usize = 22;

/// A struct of a Vec for each field of `$item`, with room for all that will come.
macro_rules! columns {
    ($name:ident, $item:ty, $($field:ident: $kind:ty),* $(,)?) => {
        struct $name { $($field: Vec<$kind>),* }

        impl $name {
            fn with_capacity(rows: usize) -> Self {
                Self { $($field: Vec::with_capacity(rows)),* }
            }

            #[inline(always)]
            fn push(&mut self, item: &$item) {
                $(self.$field.push(item.$field);)*
            }
        }
    };
}

columns!(Headers, F1PacketHeader,
    packet_format: u16, game_year: u8, game_major_version: u8, game_minor_version: u8, packet_version: u8,
    packet_id: PacketId, session_uid: u64, session_time: f32, frame_identifier: u32, overall_frame_identifier: u32,
    player_car_index: usize, secondary_player_car_index: usize,
);
columns!(Telemetry, CarTelemetryData,
    speed: u16, throttle: f32, steer: f32, brake: f32, clutch: u8, gear: i8, engine_rpm: u16, drs_enabled: bool,
    rev_lights_percent: u8, rev_lights_bit_value: RevLights, brakes_temperature: [u16; 4],
    tyres_surface_temperature: [u8; 4], tyres_inner_temperature: [u8; 4], engine_temperature: u16,
    tyres_pressure: [f32; 4], surface_type: [Surface; 4],
);
columns!(Laps, LapData,
    last_lap_time_ms: u32, current_lap_time_ms: u32, sector1_time_ms_part: u16, sector1_time_minutes_part: u8,
    sector2_time_ms_part: u16, sector2_time_minutes_part: u8, delta_to_car_in_front_ms_part: u16,
    delta_to_car_in_front_minutes_part: u8, delta_to_race_leader_ms: u16, delta_to_race_leader_minutes_part: u8,
    lap_distance: f32, total_distance: f32, safety_car_delta: f32, car_position: u8, current_lap_num: u8,
    pit_status: PitStatus, num_pit_stops: u8, sector: Sector, current_lap_invalid: bool, penalties: u8,
    total_warnings: u8, corner_cutting_warnings: u8, num_unserved_drive_through_pens: u8,
    num_unserved_stop_go_pens: u8, grid_position: u8, driver_status: DriverStatus, result_status: ResultStatus,
    pit_lane_timer_active: bool, pit_lane_time_in_lane_ms: u16, pit_stop_timer_ms: u16,
    pit_stop_should_serve_pen: bool, speed_trap_fastest_speed: f32, speed_trap_fastest_lap: u8,
);
columns!(Status, CarStatusData,
    traction_control: TractionControl, anti_lock_brakes: bool, fuel_mix: FuelMix, front_brake_bias: u8,
    pit_limiter_enabled: bool, fuel_in_tank: f32, fuel_capacity: f32, fuel_remaining_laps: f32, max_rpm: u16,
    idle_rpm: u16, max_gears: u8, drs_allowed: DrsAllowed, drs_activation_distance: u16,
    actual_tyre_compound: ActualTyreCompound, visual_tyre_compound: VisualTyreCompound, tyres_age_laps: u8,
    vehicle_fia_flag: VehicleFiaFlag, engine_power_ice: f32, engine_power_mguk: f32, ers_store_energy: f32,
    ers_deploy_mode: ErsDeployMode, ers_harvested_this_lap_mguk: f32, ers_harvested_this_lap_mguh: f32,
    ers_deployed_this_lap: f32, network_paused: bool,
);
columns!(Motion, CarMotionData,
    world_position_x: f32, world_position_y: f32, world_position_z: f32, world_velocity_x: f32, world_velocity_y: f32,
    world_velocity_z: f32, world_forward_dir_x: i16, world_forward_dir_y: i16, world_forward_dir_z: i16,
    world_right_dir_x: i16, world_right_dir_y: i16, world_right_dir_z: i16, g_force_lateral: f32,
    g_force_longitudinal: f32, g_force_vertical: f32, yaw: f32, pitch: f32, roll: f32,
);

/// Named sums, in the same order for every block.
type Sums = Vec<(&'static str, f64)>;

fn sum<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    values.iter().map(|&value| value.into()).sum()
}

/// One decoder: a block of datagrams to columns, and what to sum of them (outside of the time taken).
macro_rules! decoder {
    ($name:ident, $columns:ident, $cars:expr, $sums:expr) => {
        fn $name(datagrams: &[u8], size: usize) -> (f64, Sums) {
            let begun = Instant::now();
            let count = datagrams.len() / size;
            let mut headers = Headers::with_capacity(count);
            let mut cars = $columns::with_capacity(count * CARS);
            for datagram in datagrams.chunks_exact(size) {
                let packet = parse(datagram).expect("a packet");
                headers.push(&packet.header);
                let of_packet: fn(&F1Packet) -> &Vec<_> = $cars;
                for car in of_packet(&packet) {
                    cars.push(car);
                }
            }
            black_box((&headers, &cars));
            let seconds = begun.elapsed().as_secs_f64();
            let of_cars: fn(&$columns) -> Sums = $sums;
            let mut sums = of_cars(&cars);
            sums.push(("overall_frame_identifier", sum(&headers.overall_frame_identifier)));
            (seconds, sums)
        }
    };
}

decoder!(car_telemetry, Telemetry, |packet| &packet.car_telemetry.as_ref().unwrap().data, |cars| vec![
    ("speed_kmh", sum(&cars.speed)),
    ("throttle", sum(&cars.throttle)),
    ("engine_rpm", sum(&cars.engine_rpm)),
    ("brakes_temperature_c", sum(cars.brakes_temperature.as_flattened())),
    ("tyres_pressure_psi", sum(cars.tyres_pressure.as_flattened())),
]);
decoder!(lap_data, Laps, |packet| &packet.laps.as_ref().unwrap().data, |cars| vec![
    ("current_lap_time_ms", sum(&cars.current_lap_time_ms)),
    ("sector1_ms_part", sum(&cars.sector1_time_ms_part)),
    ("lap_distance_m", sum(&cars.lap_distance)),
    ("car_position", sum(&cars.car_position)),
    ("pit_lane_time_in_lane_ms", sum(&cars.pit_lane_time_in_lane_ms)),
]);
decoder!(car_status, Status, |packet| &packet.car_status.as_ref().unwrap().data, |cars| vec![
    ("fuel_in_tank_kg", sum(&cars.fuel_in_tank)),
    ("max_rpm", sum(&cars.max_rpm)),
    ("tyres_age_laps", sum(&cars.tyres_age_laps)),
    ("ers_store_j", sum(&cars.ers_store_energy)),
    ("ers_deployed_j", sum(&cars.ers_deployed_this_lap)),
]);
decoder!(motion, Motion, |packet| &packet.motion.as_ref().unwrap().data, |cars| vec![
    ("world_position_x_m", sum(&cars.world_position_x)),
    ("world_forward_x", sum(&cars.world_forward_dir_x)),
    ("g_force_lateral", sum(&cars.g_force_lateral)),
    ("roll_rad", sum(&cars.roll)),
]);

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<usize>().expect("a number");
        let (size, per_block, rounds) = (number(1), number(2), number(3));
        let datagrams = std::fs::read(format!("{folder}/{}.bin", words[0])).expect("datagrams");
        let decode = match words[0] {
            "car_telemetry" => car_telemetry,
            "lap_data" => lap_data,
            "car_status" => car_status,
            "motion" => motion,
            other => panic!("no decoder for {other}"),
        };
        let (mut seconds, mut sums) = (0.0, Sums::new());
        for _ in 0..rounds {
            sums.clear();
            for block in datagrams.chunks(size * per_block) {
                let (taken, of_block) = decode(block, size);
                seconds += taken;
                if sums.is_empty() {
                    sums = of_block;
                } else {
                    sums.iter_mut().zip(of_block).for_each(|(total, (_, part))| total.1 += part);
                }
            }
        }
        let said: Vec<String> = sums.iter().map(|(name, total)| format!("{name}={total:?}")).collect();
        println!("{:e} {}", seconds / rounds as f64, said.join(" "));
        std::io::stdout().flush().expect("stdout");
    }
}
