import Training

/// Shows on standard error how far training is: a bar, and a line for each epoch.
final class TrainingReporter {
    private var encoding = ProgressWriter(unit: "images")
    private var training = ProgressWriter(unit: "images")
    private var isEncoded = false
    private var last: (done: Int, total: Int, record: TrainingRecord)?
    private var hasRectifier = true
    private let start = ContinuousClock.now

    private var now: Double { (ContinuousClock.now - start) / .seconds(1) }

    func tell(_ event: TrainingEvent) {
        switch event {
        case .encoded(let done, let total):
            guard !isEncoded else { return }
            isEncoded = done == total
            encoding.show(
                done: done, total: total, now: now, fields: [("latents", "\(done)/\(total)")], final: isEncoded)
        case .skipped(let picture): encoding.message("skipped \(picture.path): \(picture.reason)")
        case .phase(let text): training.message(text)
        case .began(let settings, let squares, let validation, let step):
            hasRectifier = settings.layers > 0
            training.message(
                "training on \(squares) squares, \(validation) for validation: \(settings.tokens) tokens, "
                    + (settings.isShared ? "one codebook" : "\(settings.tokens) codebooks")
                    + " of \(settings.codes) codes, "
                    + (settings.layers == 0 ? "no rectifier" : "rectifier \(settings.features) x \(settings.layers)")
                    + ", batch \(settings.batch)" + (step > 0 ? "; going on after step \(step)" : ""))
        case .step(let record, let done, let total):
            last = (done, total, record)
            show(final: false)
        case .epoch(let record): training.message(Self.line(record))
        }
    }

    func finish(_ summary: TrainingSummary) {
        if last != nil { show(final: true) }
        let validation = summary.validation.map { "; validation \(losses($0))" }
        training.message(
            "\(summary.steps) steps: MSE \(losses(summary.training))" + (validation ?? "")
                + "; codes used \(Self.percent(summary.usage))")
        let judged = summary.validation ?? summary.training
        if hasRectifier, judged.rectifier > judged.quantizer {
            training.message(
                "warning: the rectifier makes latents worse than the codes alone; expected more epochs, "
                    + "--rectifier-start identity, or --layers 0")
        }
        training.message("model: \(summary.model)")
    }

    private func losses(_ losses: TrainingLosses) -> String {
        "\(Self.number(losses.quantizer)) quantized"
            + (hasRectifier ? ", \(Self.number(losses.rectifier)) rectified" : "")
    }

    private func show(final: Bool) {
        guard let last else { return }
        training.show(
            done: last.done, total: last.total, now: now,
            fields: [
                ("loss", Self.number(last.record.loss ?? 0)), ("usage", Self.percent(last.record.usage ?? 0)),
                ("step", "\(last.record.step)"),
            ], final: final)
    }

    private static func line(_ record: TrainingRecord) -> String {
        var words = ["epoch \(record.epoch + 1), step \(record.step)"]
        if let usage = record.usage { words.append("codes used \(percent(usage))") }
        if let moved = record.moved { words.append("moved \(moved)") }
        if let loss = record.validationQuantized { words.append("validation \(number(loss)) quantized") }
        if let loss = record.validationRectified { words.append("\(number(loss)) rectified") }
        return words.joined(separator: ", ")
    }

    private static func number(_ value: Double) -> String { NumberText.fixed(value, digits: 4) }
    private static func percent(_ share: Double) -> String { NumberText.fixed(share * 100, digits: 1) + "%" }
}
