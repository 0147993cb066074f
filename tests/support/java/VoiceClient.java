import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/**
 * A client of the phones API as somebody else writes one, with nothing but the JDK.
 *
 * <p>Headers, signature and bodies are those of the Java sample in the API document. The sample uses hutool:
 * MessageDigest stands for its SecureUtil.md5, java.net.http.HttpClient for its HttpRequest, and bodies are joined as
 * its JSONUtil writes them. HttpClient offers HTTP/2 on its own account, in an Upgrade header.
 *
 * <p>Usage: {@code java VoiceClient BASE JOINT [OPTION...]}. An address is BASE + JOINT + the endpoint's name, without
 * repair: JOINT is "voice/" for the vendor's SDK and "/" for the sample. Key and secret are in ITNIO_API_KEY and
 * ITNIO_API_SECRET. Each line of the input is one request, its fields divided by tabs; each line of the output is the
 * HTTP status and the body of one answer. Options: lower-case-headers, upper-case-sign, expect-continue, http-1.
 */
public final class VoiceClient {
    private final String joinedBase;
    private final String apiKey;
    private final String apiPwd;
    private final List<String> options;
    private final HttpClient http;

    VoiceClient(String joinedBase, String apiKey, String apiPwd, List<String> options) {
        this.joinedBase = joinedBase;
        this.apiKey = apiKey;
        this.apiPwd = apiPwd;
        this.options = options;
        HttpClient.Version version =
                options.contains("http-1") ? HttpClient.Version.HTTP_1_1 : HttpClient.Version.HTTP_2;
        this.http = HttpClient.newBuilder().version(version).connectTimeout(Duration.ofSeconds(20)).build();
    }

    /** Create phones. The quantity is written as it is given: 30, or "30" with its quotes, as the PHP sample has it. */
    String sipAdd(String groupName, String phoneName, String quantity, String displayNum, String appId)
            throws IOException, InterruptedException {
        return post("sipAdd", "{\"groupName\":" + text(groupName) + ",\"phoneName\":" + text(phoneName)
                + ",\"quantity\":" + quantity + ",\"displayNum\":" + text(displayNum) + ",\"appId\":" + text(appId) + "}");
    }

    /** List one page of phones. */
    String sipQuery(String current, String size, String appId) throws IOException, InterruptedException {
        return post("sipQuery", "{\"current\":" + current + ",\"size\":" + size
                + ",\"params\":{\"appId\":" + text(appId) + "}}");
    }

    /** Give one phone a new password. */
    String sipReset(String account, String appId) throws IOException, InterruptedException {
        return post("sipReset", "{\"account\":" + text(account) + ",\"appId\":" + text(appId) + "}");
    }

    private String post(String endpoint, String body) throws IOException, InterruptedException {
        String datetime =
                String.valueOf(LocalDateTime.now().atZone(ZoneId.systemDefault()).toInstant().getEpochSecond());
        String sign = md5(apiKey.concat(apiPwd).concat(datetime));
        HttpRequest request = HttpRequest.newBuilder(URI.create(joinedBase.concat(endpoint)))
                .timeout(Duration.ofSeconds(20))
                .expectContinue(options.contains("expect-continue"))
                .header(name("Content-Type"), "application/json;charset=UTF-8")
                .header(name("Sign"), options.contains("upper-case-sign") ? sign.toUpperCase(Locale.ROOT) : sign)
                .header(name("Timestamp"), datetime)
                .header(name("Api-Key"), apiKey)
                .POST(BodyPublishers.ofString(body, StandardCharsets.UTF_8))
                .build();
        HttpResponse<String> response = http.send(request, BodyHandlers.ofString(StandardCharsets.UTF_8));
        return response.statusCode() + " " + response.body();
    }

    private String name(String header) {
        return options.contains("lower-case-headers") ? header.toLowerCase(Locale.ROOT) : header;
    }

    private static String text(String value) {
        return "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    private static String md5(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("MD5").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible); // every JDK has MD5
        }
    }

    private String answer(String[] fields) throws IOException, InterruptedException {
        return switch (fields[0]) {
            case "sipAdd" -> sipAdd(fields[1], fields[2], fields[3], fields[4], fields[5]);
            case "sipQuery" -> sipQuery(fields[1], fields[2], fields[3]);
            case "sipReset" -> sipReset(fields[1], fields[2]);
            default -> throw new IllegalArgumentException("no such request: " + fields[0]);
        };
    }

    /** Send the requests of the input, one after another. */
    public static void main(String[] words) throws IOException, InterruptedException {
        VoiceClient client = new VoiceClient(words[0].concat(words[1]), System.getenv("ITNIO_API_KEY"),
                System.getenv("ITNIO_API_SECRET"), Arrays.asList(words).subList(2, words.length));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(client.answer(line.split("\t", -1)));
        }
    }
}
