"""What is known of the dependencies: licences, a bill of materials, published weaknesses. No part of the package."""
