// SPDX-License-Identifier: Apache-2.0
// 15-dedicated-server: a game server without a window, as a service of a program.
// Idea: the match runs on a loop with a thread of its own. SIGTERM is a graceful shutdown: the round that is being played is finished, then
// the program ends. The loop's statistics go to whatever metrics backend the program has; this one prints them.
//
//     15-dedicated-server & sleep 2; kill $!
//
// --frames N  ends after N steps of the match; else SIGTERM or Ctrl-C does

import Foundation
import Logging
import Metrics
import ServiceLifecycle
import Tandem
import TandemMetrics
import TandemServiceLifecycle

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) } ?? .max

// Whoever reads our output may go. Without this that ends the program on the spot; with it a write fails, and the round is played to its end.
signal(SIGPIPE, SIG_IGN)
let lostOutput = AsyncStream.makeStream(of: Never.self)

/// The match's thread calls it, and the metrics.
nonisolated func tell(_ line: String) {
    do { try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) } catch {
        lostOutput.continuation.finish()
    }
}

/// Ends, and the program with it, when nobody reads our output any more.
struct OutputWatch: Service {
    func run() async throws {
        await cancelWhenGracefulShutdown { for await _ in lostOutput.stream {} }
    }
}

MetricsSystem.bootstrap(Printer())

let match = LoopService { loop, shutdown in
    let metrics = LoopMetrics(loop, every: .seconds(1))
    var steps = 0
    // A round is thirty steps, and is always played to its end.
    for try await beat in loop.clock.timer(every: .milliseconds(16)) {
        steps = beat.number
        if steps >= limit || (shutdown.isRequested && steps % 30 == 0) { break }
    }
    metrics.stop()
    tell("the match ended after \(steps) steps, \(shutdown.isRequested ? "as it was asked to" : "by itself")")
}

let group = ServiceGroup(
    configuration: .init(
        services: [
            .init(service: OutputWatch(), successTerminationBehavior: .gracefullyShutdownGroup),
            .init(service: match, successTerminationBehavior: .gracefullyShutdownGroup),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "server")))
try await group.run()

/// A backend that prints the counters when they are exported. A real one is a package: swift-prometheus, say.
struct Printer: MetricsFactory {
    final class Line: CounterHandler {
        let label: String
        init(label: String) { self.label = label }
        func increment(by amount: Int64) { if amount > 0 { tell("\(label) +\(amount)") } }
        func reset() {}
    }
    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { Line(label: label) }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        NOOPMetricsHandler.instance
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
