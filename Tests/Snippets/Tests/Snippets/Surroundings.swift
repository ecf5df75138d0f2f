// SPDX-License-Identifier: Apache-2.0
// Surroundings: what the documentation's code uses without having made it. It is compiled and never run.

import Foundation
import SystemPackage
import TandemSDL
import TandemTesting

/// Stands for a value that the reader's program has.
func given<Value>(_: Value.Type = Value.self) -> Value { fatalError("the documentation's code does not run") }

// MARK: The loop, the guest, and what they have made

let loop: GuestLoop = given()
let host: any GuestHost = given()
let clock: GameClock = given()
let stream: TCPStream = given()
let other: TCPStream = given()
let fd: FileDescriptor = given()
let listener: TCPListener = given()
let udp: UDPSocket = given()
let socket: UDPSocket = given()
let peer: SocketAddress = given()
let outbox: Outbox = given()
@MainActor var guest: SDLGuest = given()
@MainActor var frames: FrameLoop = given()
@MainActor var event: SDL_Event = given()
@MainActor var renderer: OpaquePointer? = given()
@MainActor var configuration = Configuration()
@MainActor var isOver: Bool = given()
@MainActor var running: Bool = given()
@MainActor var seed: Int = given()

// MARK: The reader's game

enum Command { case fire }

@MainActor final class World {
    init() {}
    var isOver = false
    let snapshot: [UInt8] = []
    func advance(by step: Duration) {}
    func draw(_ renderer: OpaquePointer?) {}
    func fire() {}
    func turn(_ direction: Int) {}
    func aim(_ x: Int32, _ y: Int32) {}
    func step(_ step: Duration) {}
    func apply(_ message: some Sendable) {}
    func steer(by delta: Duration) {}
    func spawn(_ wave: Int) {}
    func hear(_ words: some Sendable) {}
    func take(_ bytes: [UInt8]) {}
}
@MainActor var world: World = given()

@MainActor final class Game {
    init(loop: GuestLoop, seed: Int = 0) {}
    init(_ guest: SDLGuest) {}
    func press(_ command: Command) {}
    func handle(_ event: SDL_Event) {}
    func play() async throws -> Int { 0 }
    func playWave() async throws -> Int { 0 }
    func playOneRound() async throws -> Int { 0 }
}
@MainActor var game: Game = given()

@MainActor final class Match {
    var isOver = false
    func waves(_ scene: GuestScene) async throws {}
}
@MainActor var match: Match = given()

@MainActor final class Menu {
    var isOpen = true
    var choice: Int?
    func handle(_ event: SDL_Event) {}
}
@MainActor var menu: Menu = given()

@MainActor final class Field {
    func append(_ key: SDL_Keysym) {}
}
@MainActor var field: Field = given()

struct Chunk { func build() {} }
struct Level: Sendable {
    let chunks: [Chunk] = []
    init(contentsOf path: String) throws {}
}
extension Chunk: Sendable {}
@MainActor var level: Level = given()
let regions: [Chunk] = given()
let path: String = given()
let files: [String] = given()

@MainActor final class Bar {
    func fill(_ part: Double) {}
}
@MainActor var bar: Bar = given()
@MainActor var log: [String] = []

/// A framework of somebody's whose classes know nothing of actors.
class FrameworkGame {
    func setup() {}
    func update() {}
}

/// A host of the reader's.
final class MyHost: GuestHost, ConformanceHost {
    var loop: GuestLoop { given() }
    func requestTick() -> Bool { true }
    func turn() {}
    func run(within limit: Duration, until condition: () -> Bool) -> Bool { true }
    func close() {}
}

/// A way to wake a thread, of whatever library.
final class Semaphore: Sendable {
    func signal() {}
    func wait() {}
}

struct Tool: Sendable {
    struct Output: Sendable {
        func lines() -> AsyncStream<String> { given() }
    }
    let standardOutput = Output()
}
let tool = Tool()

func serve(_ stream: TCPStream) {}
func serve(on loop: GuestLoop) async throws {}
func handle(_ value: some Sendable) {}
func handle(_ bytes: RawSpan, from sender: SocketAddress?) {}
func answer(_ bytes: [UInt8], to peer: SocketAddress) {}
func answer(_ line: String, through outbox: Outbox) {}
func decode(_ file: String) throws -> Int { 0 }
@MainActor func askWhetherToSave() {}
@MainActor func askWhetherToLeave() -> Bool { true }
@MainActor func drawGame(_ frame: Frame? = nil, between blend: Double = 0) {}
@MainActor func drawMenu() {}
@MainActor func pauseMenu() {}
@MainActor func press(_ key: SDL_KeyCode) {}
@MainActor func playMusic() async throws {}
@MainActor func push(key: SDL_KeyCode) {}
@MainActor func waitForTheHostsEvents() {}
func spawnDrones(_ clock: GameClock) async throws {}
func spawnDrones(_ count: Int) {}
func play(_ stream: TCPStream) async throws {}
func puzzle() async throws -> Bool { true }
func greet(_ name: String) {}
func trace(row: Int) -> [Float] { [] }
func pollSocket() -> [UInt8]? { nil }
func saveGame() async throws {}
@MainActor func showTitle() {}
@MainActor func showTitle(of level: Level) {}
@MainActor func show(_ image: [[Float]]) {}
@MainActor func openDoor() {}
@MainActor func restore(_ file: Data?) {}
@MainActor func toggleFullScreen() {}
@MainActor func update() {}
@MainActor func draw() {}
@MainActor func handleInput(_ event: SDL_Event) {}
@MainActor func queueMoreMusic(_ device: SDL_AudioDeviceID) {}
let height = 480
let device: SDL_AudioDeviceID = given()
let url: URL = given()
let scene: GuestScene = given()
@MainActor let frame: Frame = given()
@MainActor var isRunning: Bool = given()
@MainActor var isLoading: Bool = given()
@MainActor var countdown: Duration = given()

@MainActor final class Loader {
    var isDone = false
    var level: Level { given() }
}
@MainActor let loader: Loader = given()
@MainActor final class Picture { var brightness = 0.0 }
@MainActor final class Ship {
    var fuel = 0
    func move(by time: Duration) {}
}
@MainActor let ship: Ship = given()
@MainActor final class Camera { func follow(_ ship: Ship, for time: Duration) {} }
@MainActor let camera: Camera = given()

/// A library with a thread, and one with completion handlers.
final class Connection: Sendable { func receive() -> String? { nil } }
let connection = Connection()
final class OldLibrary: Sendable {
    func ask(_ question: String, _ completion: @escaping @Sendable (Result<String, any Error>) -> Void) {}
}
let oldLibrary = OldLibrary()
func play() async throws -> Int { 0 }
func pauses(_ clock: GameClock) async throws {}
