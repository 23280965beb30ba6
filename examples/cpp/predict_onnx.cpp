// Inspects one image with an exported file, through ONNX Runtime's C API alone.
//
//     predict_onnx parts.onnx image.ppm [threshold]
//
// The image is a binary PPM (P6, 8 bits): what a camera driver hands over anyway, without a decoder. Without
// a threshold, the calibrated one is taken from the file's metadata. Prints decision, score and the place of the
// highest anomaly; exits 1 for a defective image, 2 for an error.

#include <onnxruntime_c_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

static const OrtApi* api = OrtGetApiBase()->GetApi(ORT_API_VERSION);

static void check(OrtStatus* status) {
    if (status == nullptr) return;
    const std::string message = api->GetErrorMessage(status);
    api->ReleaseStatus(status);
    throw std::runtime_error(message);
}

struct Image {
    int64_t height = 0, width = 0;
    std::vector<uint8_t> rgb;  // row by row, red, green, blue
};

static Image read_ppm(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    int largest = 0;
    Image image;
    file >> magic >> image.width >> image.height >> largest;
    file.get();  // the one white space before the pixels
    if (!file || magic != "P6" || largest != 255 || image.width < 1 || image.height < 1)
        throw std::runtime_error(path + " is not a binary PPM image (P6) of 8 bits");
    image.rgb.resize(static_cast<size_t>(3 * image.height * image.width));
    if (!file.read(reinterpret_cast<char*>(image.rgb.data()), image.rgb.size()))
        throw std::runtime_error(path + " is cut off");
    return image;
}

// The threshold is the one number of that name in the JSON that 'rcae export' puts into the file.
static float calibrated_threshold(const OrtSession* session, OrtAllocator* allocator) {
    OrtModelMetadata* metadata = nullptr;
    check(api->SessionGetModelMetadata(session, &metadata));
    char* text = nullptr;
    check(api->ModelMetadataLookupCustomMetadataMap(metadata, allocator, "rcae", &text));
    api->ReleaseModelMetadata(metadata);
    if (text == nullptr) throw std::runtime_error("the file was not written by 'rcae export'");
    const std::string described = text;
    check(api->AllocatorFree(allocator, text));
    const std::string key = "\"threshold\": ";
    const size_t place = described.find(key);
    if (place == std::string::npos) throw std::runtime_error("the file has no threshold");
    return std::strtof(described.c_str() + place + key.size(), nullptr);
}

static int inspect(const std::string& model, const std::string& path, const char* given) {
    Image image = read_ppm(path);

    OrtEnv* environment = nullptr;
    check(api->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "rcae", &environment));
    OrtSessionOptions* options = nullptr;
    check(api->CreateSessionOptions(&options));
    OrtSession* session = nullptr;
#ifdef _WIN32
    check(api->CreateSession(environment, std::wstring(model.begin(), model.end()).c_str(), options, &session));
#else
    check(api->CreateSession(environment, model.c_str(), options, &session));
#endif
    OrtAllocator* allocator = nullptr;
    check(api->GetAllocatorWithDefaultOptions(&allocator));
    float threshold = given ? std::strtof(given, nullptr) : calibrated_threshold(session, allocator);

    OrtMemoryInfo* memory = nullptr;
    check(api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    const int64_t shape[] = {1, image.height, image.width, 3};
    OrtValue* inputs[2] = {nullptr, nullptr};
    check(api->CreateTensorWithDataAsOrtValue(memory, image.rgb.data(), image.rgb.size(), shape, 4,
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, &inputs[0]));
    check(api->CreateTensorWithDataAsOrtValue(memory, &threshold, sizeof threshold, nullptr, 0,
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &inputs[1]));

    const char* input_names[] = {"images", "threshold"};
    const char* output_names[] = {"anomaly_map", "anomaly_score", "is_defective"};
    OrtValue* outputs[3] = {nullptr, nullptr, nullptr};
    check(api->Run(session, nullptr, input_names, inputs, 2, output_names, 3, outputs));

    float *anomaly_map = nullptr, *score = nullptr;
    bool* is_defective = nullptr;
    check(api->GetTensorMutableData(outputs[0], reinterpret_cast<void**>(&anomaly_map)));
    check(api->GetTensorMutableData(outputs[1], reinterpret_cast<void**>(&score)));
    check(api->GetTensorMutableData(outputs[2], reinterpret_cast<void**>(&is_defective)));
    const int64_t peak = std::max_element(anomaly_map, anomaly_map + image.height * image.width) - anomaly_map;
    std::printf("%s  %.4f  at x=%lld y=%lld  %s\n", *is_defective ? "defective" : "good", *score,
                static_cast<long long>(peak % image.width), static_cast<long long>(peak / image.width),
                path.c_str());
    const int code = *is_defective ? 1 : 0;

    for (OrtValue* value : outputs) api->ReleaseValue(value);
    for (OrtValue* value : inputs) api->ReleaseValue(value);
    api->ReleaseMemoryInfo(memory);
    api->ReleaseSession(session);
    api->ReleaseSessionOptions(options);
    api->ReleaseEnv(environment);
    return code;
}

int main(int count, char** arguments) {
    if (count != 3 && count != 4) {
        std::cerr << "usage: predict_onnx MODEL.onnx IMAGE.ppm [THRESHOLD]\n";
        return 2;
    }
    if (api == nullptr) {
        std::cerr << "error: the ONNX Runtime library is older than the header this was built with\n";
        return 2;
    }
    try {
        return inspect(arguments[1], arguments[2], count == 4 ? arguments[3] : nullptr);
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << "\n";
        return 2;
    }
}
