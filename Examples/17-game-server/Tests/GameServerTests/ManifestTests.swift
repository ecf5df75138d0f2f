// SPDX-License-Identifier: Apache-2.0
// ManifestTests: what lies in `deploy`, against what Agones' published schema requires of it, and against the server itself.

import Foundation
import SkirmishServer
import Testing
import Yams

/// What a field has to be, as the schema says.
private enum Need {
    case exactly(String)
    case oneOf(Set<String>)
    /// A name of Kubernetes'.
    case name
    case text
    case number(ClosedRange<Int>)
    /// A list of at least one, and what each of it has; an optional field of an element has a question mark.
    case list([String: Need])
    case object([String: Need])
}

private struct Schema {
    let fields: [String: Need]

    /// What is wrong with a document, by the paths of the fields.
    func complaints(_ document: Any?) -> [String] { Self.complaints(.object(fields), document, "") }

    private static func complaints(_ need: Need, _ value: Any?, _ path: String) -> [String] {
        func unless(_ holds: Bool) -> [String] { holds ? [] : ["\(path) is \(value ?? "not there")"] }
        switch need {
        case .exactly(let text): return unless(value as? String == text)
        case .oneOf(let texts): return unless((value as? String).map(texts.contains) ?? false)
        case .name:
            let text = value as? String ?? ""
            return unless(
                text.count <= 63 && text.wholeMatch(of: #/[a-z0-9]([-a-z0-9]*[a-z0-9])?/#) != nil)
        case .text: return unless((value as? String)?.isEmpty == false)
        case .number(let range): return unless((value as? Int).map(range.contains) ?? false)
        case .list(let fields):
            guard let list = value as? [Any], !list.isEmpty else { return unless(false) }
            return list.enumerated().flatMap { complaints(.object(fields), $1, "\(path)[\($0)]") }
        case .object(let fields):
            guard let object = value as? [String: Any] else { return unless(false) }
            return fields.sorted { $0.key < $1.key }.flatMap { key, need in
                let isOptional = key.hasSuffix("?")
                let name = isOptional ? String(key.dropLast()) : key
                if isOptional, object[name] == nil { return [String]() }
                return complaints(need, object[name], "\(path).\(name)")
            }
        }
    }

    static let fleet = Schema(fields: [
        "apiVersion": .exactly("agones.dev/v1"), "kind": .exactly("Fleet"), "metadata": .object(["name": .name]),
        "spec": .object([
            "replicas?": .number(0...Int.max), "scheduling?": .oneOf(["Packed", "Distributed"]),
            "strategy?": .object(["type?": .oneOf(["Recreate", "RollingUpdate"])]),
            "template": .object([
                "spec": .object([
                    "ports?": .list([
                        "name?": .text, "portPolicy?": .oneOf(["Dynamic", "Static", "Passthrough", "None"]),
                        "protocol?": .oneOf(["UDP", "TCP", "TCPUDP"]), "containerPort?": .number(1...65_535),
                    ]),
                    "health?": .object([
                        "initialDelaySeconds?": .number(0...Int.max), "periodSeconds?": .number(0...Int.max),
                        "failureThreshold?": .number(1...Int.max),
                    ]),
                    "counters?": .object([
                        AgonesService.counter: .object([
                            "count?": .number(0...Int.max), "capacity?": .number(0...Int.max),
                        ])
                    ]),
                    "template": .object([
                        "spec": .object(["containers": .list(["name": .name, "image": .text])])
                    ]),
                ])
            ]),
        ]),
    ])

    static let autoscaler = Schema(fields: [
        "apiVersion": .exactly("autoscaling.agones.dev/v1"), "kind": .exactly("FleetAutoscaler"),
        "metadata": .object(["name": .name]),
        "spec": .object([
            "fleetName": .name,
            "policy": .object([
                "type": .oneOf(["Buffer"]),
                "buffer": .object([
                    "maxReplicas": .number(1...Int.max), "minReplicas?": .number(0...Int.max),
                    "bufferSize": .number(1...Int.max),
                ]),
            ]),
            "sync?": .object([
                "type": .exactly("FixedInterval"), "fixedInterval": .object(["seconds": .number(1...Int.max)]),
            ]),
        ]),
    ])

    static let allocation = Schema(fields: [
        "apiVersion": .exactly("allocation.agones.dev/v1"), "kind": .exactly("GameServerAllocation"),
        "spec": .object(["selectors?": .list(["gameServerState?": .oneOf(["Ready", "Allocated"])])]),
    ])
}

@Suite struct ManifestTests {
    private static let deploy = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../deploy").standardized

    private func text(_ name: String) throws -> String {
        try String(contentsOf: Self.deploy.appendingPathComponent(name), encoding: .utf8)
    }

    private func manifest(_ name: String) throws -> Any? { try Yams.load(yaml: text(name)) }

    private func value(_ document: Any?, _ path: String...) -> Any? {
        path.reduce(document) { value, key in
            Int(key).map { (value as? [Any])?[$0] } ?? (value as? [String: Any])?[key]
        }
    }

    @Test func theManifestsHaveWhatTheSchemaRequires() throws {
        #expect(Schema.fleet.complaints(try manifest("fleet.yaml")) == [])
        #expect(Schema.autoscaler.complaints(try manifest("fleetautoscaler.yaml")) == [])
        #expect(Schema.allocation.complaints(try manifest("allocation.yaml")) == [])
    }

    /// The check finds what is missing or wrong.
    @Test(arguments: [
        ("  replicas: 2", "  replicas: -1", ".spec.replicas"), ("kind: Fleet", "kind: Fleets", ".kind"),
        ("protocol: TCPUDP", "protocol: BOTH", ".spec.template.spec.ports[0].protocol"),
        ("containerPort: 8080", "containerPort: 0", ".spec.template.spec.ports[1].containerPort"),
        ("image:", "picture:", ".spec.template.spec.template.spec.containers[0].image"),
        ("- name: skirmish\n", "- name: Skirmish\n", ".spec.template.spec.template.spec.containers[0].name"),
        ("containers:", "container:", ".spec.template.spec.template.spec.containers"),
        ("        players:\n", "        visitors:\n", ".spec.template.spec.counters.players"),
    ])
    func whatTheSchemaForbidsIsFound(sound: String, broken: String, path: String) throws {
        let fleet = try text("fleet.yaml")
        #expect(fleet.contains(sound))
        let complaints = Schema.fleet.complaints(
            try Yams.load(yaml: fleet.replacingOccurrences(of: sound, with: broken)))
        #expect(complaints.count == 1 && complaints.first?.hasPrefix("\(path) is ") == true, "\(complaints)")
    }

    @Test func theManifestsFitEachOtherAndTheServer() throws {
        let fleet = try manifest("fleet.yaml")
        let autoscaler = try manifest("fleetautoscaler.yaml")
        let allocation = try manifest("allocation.yaml")
        let name = value(fleet, "metadata", "name") as? String
        #expect(value(autoscaler, "spec", "fleetName") as? String == name)
        #expect(value(allocation, "spec", "selectors", "0", "matchLabels", "agones.dev/fleet") as? String == name)
        #expect(value(allocation, "spec", "metadata", "annotations", MatchServer.codeAnnotation) is String)

        let pod = value(fleet, "spec", "template", "spec", "template", "spec")
        let arguments = try #require(value(pod, "containers", "0", "args") as? [String])
        func option(_ name: String) -> Int? { arguments.firstIndex(of: name).flatMap { Int(arguments[$0 + 1]) } }
        #expect(
            value(fleet, "spec", "template", "spec", "ports", "1", "containerPort") as? Int == option("--page-port"))
        let scraped = value(fleet, "spec", "template", "metadata", "annotations", "prometheus.io/port") as? String
        #expect(scraped.flatMap { Int($0) } == option("--metrics-port"))
        // Kubernetes waits for longer than the server drains.
        let grace = try #require(value(pod, "terminationGracePeriodSeconds") as? Int)
        let drain = try #require(option("--drain-seconds"))
        #expect(grace > drain + 10)
        #expect(value(pod, "securityContext", "runAsNonRoot") as? Bool == true)
    }

    @Test func theContainerIsBuiltInStagesAndNotRunAsRoot() throws {
        let lines = try text("Containerfile").split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
        #expect(lines.count { $0.hasPrefix("FROM ") } == 2)
        let last = try #require(lines.lastIndex { $0.hasPrefix("FROM ") })
        let run = lines[last...]
        #expect(run.contains { $0.hasPrefix("COPY --from=build ") })
        let user = try #require(run.last { $0.hasPrefix("USER ") })
        #expect(user == "USER 10001:10001")
        let fleet = try manifest("fleet.yaml")
        let uid = value(fleet, "spec", "template", "spec", "template", "spec", "securityContext", "runAsUser") as? Int
        #expect(user == "USER \(uid ?? 0):\(uid ?? 0)")
    }
}
