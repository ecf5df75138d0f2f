// SPDX-License-Identifier: Apache-2.0
// ServerMetrics: the server's figures and the loop's, to whatever metrics backend the program has; and the page where Prometheus reads them.

public import CoreMetrics
public import Hummingbird
import NIOCore
public import PrometheusText
public import ServiceLifecycle
import SkirmishNetwork
import Tandem
import TandemMetrics

/// Exports figures once a second, from the loop: one that hangs exports nothing.
public struct ServerMetrics: Service {
    private let server: MatchServer
    private let loop: GuestLoop
    private let factory: any MetricsFactory

    /// - Parameter factory: By default the process's.
    public init(_ server: MatchServer, on loop: GuestLoop, factory: any MetricsFactory = MetricsSystem.factory) {
        (self.server, self.loop, self.factory) = (server, loop, factory)
    }

    /// Lasts until a graceful shutdown, or until the task is cancelled.
    public func run() async throws {
        do { try await cancelWhenGracefulShutdown { try await export() } } catch is CancellationError {}
    }

    @MainActor private func export() async throws {
        let metrics = LoopMetrics(loop, every: .seconds(1), factory: factory)
        defer { metrics.stop() }
        let people = Gauge(label: "skirmish.players", factory: factory)
        let capacity = Gauge(label: "skirmish.players.capacity", factory: factory)
        let spectators = Gauge(label: "skirmish.spectators", factory: factory)
        let counters: [(Counter, KeyPath<HostFigures, Int>)] = [
            (Counter(label: "skirmish.matches", factory: factory), \.matches),
            (Counter(label: "skirmish.steps", factory: factory), \.steps),
            (Counter(label: "skirmish.steps.missed", factory: factory), \.missedSteps),
            (Counter(label: "skirmish.udp.sent.bytes", factory: factory), \.sentBytes),
            (Counter(label: "skirmish.udp.received.bytes", factory: factory), \.receivedBytes),
            (Counter(label: "skirmish.udp.refused", factory: factory), \.refusedDatagrams),
        ]
        var last: HostFigures?
        for try await _ in loop.clock.timer(every: .seconds(1)) {
            people.record(server.host.people)
            capacity.record(server.host.capacity)
            spectators.record(server.page.spectators)
            let now = server.host.figures
            for (counter, value) in counters {
                counter.increment(by: now[keyPath: value] - (last?[keyPath: value] ?? 0))
            }
            last = now
        }
    }
}

extension PrometheusRegistry {
    /// The page `/metrics`.
    public var router: Router<BasicRequestContext> {
        let router = Router()
        router.get("/metrics") { [self] _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        return router
    }
}
