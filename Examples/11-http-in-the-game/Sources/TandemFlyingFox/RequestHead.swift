// SPDX-License-Identifier: Apache-2.0
// RequestHead: the first part of a request, read strictly, before FlyingFox reads it.
// Idea:   FlyingFox takes each line as it comes: of any length, and of two `Content-Length`s the last. What is allowed stands here, and what goes
//         on to FlyingFox is written anew from what was understood, so that both of them see the same end of a request.
//         A browser lets every page of the web send requests and open WebSockets to this machine. It says from where (`Origin`), and by
//         which name it was reached (`Host`): a page of elsewhere has another origin, and a name of elsewhere that was made to point here
//         (DNS rebinding) another host. Both are refused.
// Owner:  a value; whoever reads a connection.
// Breaks: a line that goes on unchecked: its end would be where FlyingFox finds one.

/// What a request that is not passed on is answered; the connection ends with it.
struct Refusal: Error {
    /// The number and the phrase.
    let status: String
    /// A sentence for whoever reads the answer.
    let text: String

    static func malformed(_ text: String) -> Refusal { Refusal(status: "400 Bad Request", text: text) }

    static let tooLong = Refusal(
        status: "431 Request Header Fields Too Large", text: "the request's head, or a line of it, is too long")
}

/// A request without its body.
struct RequestHead {
    /// What FlyingFox is given.
    private(set) var text: String
    /// How many bytes follow it.
    private(set) var bodyLength = 0
    /// Whether a WebSocket is asked for.
    private(set) var isUpgrade = false
    private var host: String?
    private var origin: String?
    private var hasLength = false
    private var byteCount: Int
    private let limits: LocalHTTPServer.Limits

    /// Begins with the request's first line.
    init(_ line: String, _ limits: LocalHTTPServer.Limits) throws(Refusal) {
        self.limits = limits
        byteCount = line.utf8.count
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard Self.isPlain(line), words.count == 3, !words[0].isEmpty, words[0].allSatisfy(Self.isNamePart),
            words[1].hasPrefix("/"),
            words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0"
        else { throw .malformed("expected a method, a path, and HTTP/1.1") }
        text = line + "\r\n"
    }

    /// Adds the next line, which is not the empty one.
    mutating func add(_ line: String) throws(Refusal) {
        byteCount += line.utf8.count + 2
        guard byteCount <= limits.headBytes else { throw .tooLong }
        guard Self.isPlain(line), let colon = line.firstIndex(of: ":"), colon > line.startIndex,
            line[..<colon].allSatisfy(Self.isNamePart)
        else { throw .malformed("expected lines of the form Name: value") }
        let name = line[..<colon].lowercased()
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        switch name {
        case "host":
            guard host == nil else { throw .malformed("there is more than one Host") }
            host = value.lowercased()
        case "origin":
            guard origin == nil else { throw .malformed("there is more than one Origin") }
            origin = value.lowercased()
        case "content-length":
            guard !hasLength, value.allSatisfy({ $0.isASCII && $0.isWholeNumber }), !value.isEmpty else {
                throw .malformed("expected one Content-Length, a number")
            }
            hasLength = true
            bodyLength = Int(value) ?? .max
        case "transfer-encoding":
            throw Refusal(
                status: "411 Length Required", text: "a body has to say its length: no Transfer-Encoding here")
        case "upgrade": isUpgrade = true
        default: break
        }
        text += line[..<colon] + ": " + value + "\r\n"
    }

    /// Ends it at the empty line.
    mutating func finish() throws(Refusal) {
        guard bodyLength <= limits.bodyBytes else {
            throw Refusal(
                status: "413 Content Too Large", text: "a body may have \(limits.bodyBytes) bytes; this one has more")
        }
        guard !isUpgrade || bodyLength == 0 else { throw .malformed("a request for a WebSocket has no body") }
        guard isLocal else {
            throw Refusal(status: "403 Forbidden", text: "only for this machine's own pages and tools")
        }
        text += "\r\n"
    }

    private var isLocal: Bool {
        guard let host, limits.names.contains(Self.name(of: host)) else { return false }
        guard let origin else { return true }
        return origin == "http://\(host)" || origin == "https://\(host)"
    }

    /// A host without its port; that of IPv6 stands in brackets.
    private static func name(of host: String) -> String {
        if let end = host.lastIndex(of: "]") { return String(host[...end]) }
        return String(host.prefix { $0 != ":" })
    }

    /// No character that could be the end of a line for anybody.
    private static func isPlain(_ line: String) -> Bool {
        line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isWholeNumber || "!#$%&'*+-.^_`|~".contains(character))
    }
}
