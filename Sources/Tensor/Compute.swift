import CKernels
import COneDNN

/// The threads and instructions that kernels, OpenBLAS and oneDNN use for the calling thread's work.
public enum Compute {
    /// Instruction sets of the C kernels, weakest first.
    public enum Level: Int32, CaseIterable, Sendable {
        case sse2 = 0
        case avx2 = 1
        case avx512 = 2
        case avx512VNNI = 3
        /// And VNNI.
        case avx512BF16 = 4

        /// As in names of files and in what is told to people.
        public var name: String { "\(self)".lowercased() }
    }

    /// Sets the size of the pool for the calling thread's work. At least 1.
    public static func setThreads(_ count: Int) { tk_set_threads(Int32(clamping: max(1, count))) }

    /// Gives freed memory back to the system: the C library keeps what it may need again, as after a whole model.
    public static func returnMemory() { tk_return_memory() }

    /// How products are computed. Sums are float32 in any case.
    public enum Arithmetic: Sendable {
        case float32
        /// Factors are rounded to bfloat16, to nearest even.
        case bfloat16
        /// Weights are rounded to 8 bits with a step for each output, a product's rows to 8 bits over their own range;
        /// sums of these are exact. Convolutions, and what lies between products, are in `unquantized`.
        case int8

        /// Whether the level in force has instructions for it, and so has oneDNN where that computes in it.
        public var isNative: Bool {
            switch self {
            case .float32: true
            case .bfloat16: Compute.level.rawValue >= Level.avx512BF16.rawValue && Compute.oneDNNHasAVX512
            case .int8: Compute.level.rawValue >= Level.avx512VNNI.rawValue
            }
        }

        /// This one, or for 8 bits the best at hand for what isn't a product of 8 bits.
        public var unquantized: Arithmetic {
            switch self {
            case .float32, .bfloat16: self
            case .int8: Arithmetic.bfloat16.isNative ? .bfloat16 : .float32
            }
        }
    }

    /// Whether oneDNN computes with AVX-512; `DNNL_MAX_CPU_ISA` may keep it from that.
    public static var oneDNNHasAVX512: Bool { td_has_avx512() != 0 }

    /// What lays out the weights of convolutions: its name and exact version.
    public static var oneDNN: String { String(cString: td_version()) }

    /// The level in force.
    public static var level: Level { Level(rawValue: tk_level()) ?? .sse2 }

    public static var bestLevel: Level { Level(rawValue: tk_best_level()) ?? .sse2 }

    /// Forces a level no better than the processor's for the calling thread's work (tests); returns the one in force.
    @discardableResult
    public static func force(_ level: Level) -> Level { Level(rawValue: tk_set_level(level.rawValue)) ?? .sse2 }
}
