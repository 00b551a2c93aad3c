/// The members of a JSON object in their order; names are unique.
public struct JSONObject: Sendable, Equatable {
    public struct Member: Sendable, Equatable {
        public let name: String
        public var value: JSONValue

        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    public private(set) var members: [Member] = []
    /// Name to position; kept only where a scan of all members would cost more.
    private var positions: [String: Int] = [:]

    private static let scanLimit = 16

    public init() {}

    /// - Parameter members: of a repeated name, the last value counts.
    public init(_ members: some Sequence<(String, JSONValue)>) {
        for (name, value) in members { self[name] = value }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var names: [String] { members.map(\.name) }

    /// The member of that name. Setting `nil` removes it; setting a new name appends.
    public subscript(name: String) -> JSONValue? {
        get { position(of: name).map { members[$0].value } }
        set {
            switch (position(of: name), newValue) {
            case (let position?, let value?): members[position].value = value
            case (let position?, nil): remove(at: position)
            case (nil, let value?): add(Member(name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    /// Appends a member unless the name is taken; returns whether it did.
    mutating func appendUnique(_ name: String, _ value: JSONValue) -> Bool {
        guard position(of: name) == nil else { return false }
        add(Member(name: name, value: value))
        return true
    }

    func position(of name: String) -> Int? {
        if positions.isEmpty { return members.firstIndex { $0.name == name } }
        return positions[name]
    }

    private mutating func add(_ member: Member) {
        members.append(member)
        if !positions.isEmpty {
            positions[member.name] = members.count - 1
        } else if members.count > Self.scanLimit {
            rebuildPositions()
        }
    }

    private mutating func remove(at position: Int) {
        members.remove(at: position)
        positions = [:]
        if members.count > Self.scanLimit { rebuildPositions() }
    }

    private mutating func rebuildPositions() {
        positions = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.name, $0) })
    }

    /// Same members in the same order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }
}
