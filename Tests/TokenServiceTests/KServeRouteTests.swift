import HTTPWire
import JSON
import Testing

@testable import TokenService

@Suite(.timeLimit(.minutes(5))) struct KServeRouteTests {
    @Test func theServerTellsItsExtensions() throws {
        let response = try Client(loads: false).get("/v2")
        #expect(response.status == 200)
        #expect(
            text(response)
                == #"{"name":"tessera","version":"\#(TokenService.version)","extensions":["binary_tensor_data"]}"#)
    }

    @Test(arguments: ["", "/versions/1"]) func modelsTellTheirTensors(version: String) throws {
        let client = try Client([("m", .steps), ("b", .books)])
        let image = #"{"name":"image","datatype":"BYTES","shape":[-1]}"#
        let tokens = #"{"name":"tokens","datatype":"INT32","shape":[-1,4]}"#
        for (name, input, output) in [("m-encode", image, tokens), ("b-decode", tokens, image)] {
            let response = try client.get("/v2/models/\(name)\(version)")
            let expected =
                #"{"name":"\#(name)","versions":["1"],"platform":"tessera_fake","inputs":[\#(input)],"outputs":[\#(output)]}"#
            #expect(text(response) == expected)
            #expect(response.headers.first("X-Tessera-Contract") == (name == "m-encode" ? "aa11" : "bb22"))
            #expect(try text(client.get("/v2/models/\(name)\(version)/ready")) == #"{"name":"\#(name)","ready":true}"#)
        }
    }

    @Test func readinessFollowsTheService() throws {
        let loading = try Client(loads: false)
        #expect(try text(loading.get("/v2/health/live")) == #"{"live":true}"#)
        let client = try Client()
        #expect(try text(client.get("/v2/health/ready")) == #"{"ready":true}"#)
        client.service.beginDrain()
        for client in [loading, client] {
            let server = try client.get("/v2/health/ready")
            #expect(server.status == 503)
            #expect(text(server) == #"{"ready":false}"#)
            let model = try client.get("/v2/models/m-encode/versions/1/ready")
            #expect(model.status == 503)
            #expect(text(model) == #"{"name":"m-encode","ready":false}"#)
        }
        let stalled = try Client { $0.liveSilence = .zero }
        #expect(try stalled.get("/v2/health/live").status == 503)
        #expect(try text(stalled.get("/v2/health/live")) == #"{"live":false}"#)
    }

    @Test func withoutModelsNothingIsInferred() throws {
        let loading = try Client(loads: false)
        let stopped = try Client()
        stopped.service.refuseRequests()
        for (client, says) in [(loading, "the models are being loaded"), (stopped, "the service is stopping")] {
            for response in [
                try client.get("/v2/models/m-encode"), try client.infer("m-encode", Inference("{}")),
            ] {
                #expect(response.status == 503)
                #expect(response.headers.first("Retry-After") != nil)
                #expect(try protocolError(response) == says)
            }
        }
    }

    @Test(arguments: [("/v2", "GET, HEAD, OPTIONS"), ("/v2/models/m-encode/versions/1/infer", "POST, OPTIONS")])
    func optionsTellTheMethods(path: String, allow: String) throws {
        let response = try Client().send("OPTIONS", path)
        #expect(response.status == 204)
        #expect(response.headers.first("Allow") == allow)
    }
}
