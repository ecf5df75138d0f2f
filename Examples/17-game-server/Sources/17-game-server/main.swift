// SPDX-License-Identifier: Apache-2.0
// 17-game-server: Skirmish's dedicated server, without a window.
// Idea: the match lives on a loop of the main thread; the page, the metrics and the reports to Agones are services beside it, on threads of their own. SIGTERM
// ends them in turn: the match first, when everybody has been told; then the page; at last the report that the server has ended.
//
//     17-game-server --exhibition     and look at the page that it names
//     17-game-server & sleep 2; kill $!
//
// Where AGONES_SDK_HTTP_PORT is set, it reports to Agones. README.md says how it is rolled out.

import AgonesSDK
import ArgumentParser
import Foundation
import Logging
import Metrics
import PrometheusText
import ServiceLifecycle
import SkirmishServer
import Tandem
import WebServing

struct ServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skirmish-server",
        abstract: "Hosts a match of Skirmish for up to 8 people, with a page for everybody else.",
        discussion: """
            SIGTERM lets nobody in any more, and ends the server when the match is over. The environment's SKIRMISH_CODE is the word that lets \
            people in; AGONES_SDK_HTTP_PORT, the port of an SDK server to report to.
            """)

    @Option(help: "An address of this machine in figures; 0.0.0.0 for every interface.")
    var address = "127.0.0.1"
    @Option(help: "Where people connect to, by TCP and UDP; 0 for any that is free.")
    var port: UInt16 = 47_800
    @Option(help: "The page's port; 0 for any that is free.")
    var pagePort: UInt16 = 0
    @Option(help: "The port on which Prometheus reads /metrics; 0 for any that is free.")
    var metricsPort: UInt16 = 0
    @Option(help: "Seats that bots take while people leave them free, 0 to 8.")
    var bots = 2
    @Option(help: "How many people are let in, 1 to 8.")
    var capacity = 8
    @Option(help: "What chance begins with.")
    var seed: UInt64 = 1
    @Option(help: "How many seconds the match may last once the server is asked to end.")
    var drainSeconds = 300.0
    @Option(help: "End after so many steps of a sixtieth of a second.")
    var frames: Int?
    @Flag(help: "Let bots play while nobody is there.")
    var exhibition = false

    func validate() throws {
        guard (0...8).contains(bots) else { throw ValidationError("--bots was \(bots); expected 0 to 8") }
        guard (1...8).contains(capacity) else { throw ValidationError("--capacity was \(capacity); expected 1 to 8") }
        guard (0...86_400).contains(drainSeconds) else {
            throw ValidationError("--drain-seconds was \(drainSeconds); expected 0 to 86400")
        }
        if let frames, frames < 1 { throw ValidationError("--frames was \(frames); expected 1 or more") }
        guard (try? SocketAddress(host: address, port: 1)) != nil else {
            throw ValidationError("--address was \(address); expected an address in figures, such as 0.0.0.0")
        }
        _ = try sdkPort
    }

    /// `nil`: there is no Agones.
    private var sdkPort: UInt16? {
        get throws {
            guard let text = ProcessInfo.processInfo.environment["AGONES_SDK_HTTP_PORT"] else { return nil }
            guard let port = UInt16(text), port > 0 else {
                throw ValidationError("AGONES_SDK_HTTP_PORT was \(text); expected a port, 1 to 65535")
            }
            return port
        }
    }

    func run() throws {
        // Safe: a synchronous main runs on the main thread.
        do { try MainActor.assumeIsolated { try serve() } } catch {
            FileHandle.standardError.write(Data("skirmish-server: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }

    @MainActor private func serve() throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        let host = try HeadlessHost()
        defer { host.close() }
        try host.loop.adoptMainActor()
        let loop = host.loop
        var outcome: Result<Void, any Error>?
        loop.run {
            try await runServices(loop, registry)
        } onDone: { result in
            outcome = result
            host.stop()
        }
        host.run()
        try outcome?.get()
    }

    @MainActor private func runServices(_ loop: GuestLoop, _ registry: PrometheusRegistry) async throws {
        let sdk = try sdkPort.map { SDKClient(port: $0) }
        // Where the machine's ports are handed out, people connect to the one that this server was given.
        let given = try await sdk?.port(named: "game", within: .seconds(30))
        let server = try MatchServer(on: loop, options(given))
        announce("hosting on \(address):\(server.host.port)")
        try await serviceGroup(server, loop, sdk, registry).run()
    }

    private func options(_ given: UInt16?) -> ServerOptions {
        var options = ServerOptions()
        (options.host.address, options.host.port) = (address, given ?? port)
        options.host.code = ProcessInfo.processInfo.environment["SKIRMISH_CODE"] ?? ""
        (options.host.bots, options.host.capacity, options.host.seed) = (bots, capacity, seed)
        (options.steps, options.hasExhibition) = (frames, exhibition)
        options.drainLimit = .seconds(drainSeconds)
        return options
    }

    /// What begins first ends last.
    @MainActor private func serviceGroup(
        _ server: MatchServer, _ loop: GuestLoop, _ sdk: SDKClient?, _ registry: PrometheusRegistry
    ) -> ServiceGroup {
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if let sdk { services.append(.init(service: AgonesService(server, sdk: sdk))) }
        let page = server.page
        services.append(
            .init(
                service: WebService(
                    registry.router, address: address, port: Int(metricsPort),
                    onListening: { [address] in announce("metrics on http://\(address):\($0)/metrics") })))
        services.append(
            .init(
                service: WebService(
                    page.router, address: address, port: Int(pagePort), onShutdown: { page.close() },
                    onListening: { [address] in announce("page on http://\(address):\($0)/") })))
        services.append(.init(service: ServerMetrics(server, on: loop)))
        services.append(.init(service: server, successTerminationBehavior: .gracefullyShutdownGroup))
        return ServiceGroup(
            configuration: .init(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "services")))
    }
}

ServerCommand.main()
